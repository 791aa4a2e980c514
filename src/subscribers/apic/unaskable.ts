/** A question that no APIC shall be asked: it would be refused, ignored without a word, or mean something else. */
import { printable } from '../../config/problems.ts'
import type { QueryProblem } from '../../config/query-rules.ts'
import { Fatal } from '../../errors.ts'

/** Each problem has the key of the config that is wrong; the message is all of them. */
export class Unaskable extends Fatal {
  readonly problems: readonly QueryProblem[]

  constructor(problems: readonly QueryProblem[]) {
    super('config', problems.map(({ key, message }) => `${key}: ${message}`).join('; '))
    this.name = 'Unaskable'
    this.problems = problems
  }
}

/** One problem, to be thrown. */
export function unaskable(key: string, message: string): Unaskable {
  return new Unaskable([{ key, message }])
}

/**
 * What of a text could not be sent as it is written, as the end of a sentence; undefined when nothing: control
 * characters, line separators and lone surrogates.
 */
export function unsendable(text: string): string | undefined {
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) return 'holds a control character'
  return text.isWellFormed() ? undefined : 'holds half of a character'
}

/** A text in quotation marks, for a message: short, and nothing in it drives a terminal. */
export function shown(text: string): string {
  return printable(JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text))
}
