/** What is wrong with a config, or worth a warning: where, what, and what would be right. */
import { Fatal } from '../errors.ts'
import { type Path, spell } from './outline.ts'

/** Stable words for scripts that read `check --json`. */
export type FindingCode =
  | 'file' // the file can't be read
  | 'syntax' // not YAML, or YAML that is refused (a key twice, an alias bomb)
  | 'unknown_key'
  | 'missing'
  | 'value' // wrong type, not one of the allowed values, out of range
  | 'rule' // keys that don't go together
  | 'override' // an OPSWIRE_ variable that names nothing
  | 'secret' // warning: a secret in plain sight
  | 'security' // warning: works, but less safe than it could be
  | 'missing_file' // warning: a file that the config names is not there
  | 'loss' // warning: works, but events can be lost
  | 'rewritten' // warning: works, but is sent in other words

export interface Finding {
  readonly code: FindingCode
  /** Keys and positions from the root; empty for the file as a whole. */
  readonly path: Path
  /** A whole phrase in plain words, without the place. Never holds a secret. */
  readonly message: string
  readonly line?: number
  readonly column?: number
  /** The environment variable that set the value, in place of line and column. */
  readonly variable?: string
  /** Keys or values that would be right here. */
  readonly allowed?: readonly string[]
  /** The one of `allowed` that was likely meant. */
  readonly nearest?: string
}

/** `opswire.yaml:12:5: sources[0].tls.verfy: unknown key; did you mean verify? …` */
export function sayFinding(file: string, finding: Finding): string {
  const place =
    finding.variable !== undefined
      ? `$${finding.variable}`
      : finding.line === undefined
        ? file
        : `${file}:${finding.line}:${finding.column ?? 1}`
  const path = spell(finding.path)
  const parts = [place, ...(path === '' ? [] : [path]), finding.message]
  return printable(parts.join(': '))
}

/** By place in the file; what has no line comes first, variables last. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  const rank = (finding: Finding): number => (finding.variable === undefined ? (finding.line ?? 0) : Infinity)
  return findings.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)]
    return left === right ? (a.column ?? 0) - (b.column ?? 0) : left < right ? -1 : 1
  })
}

/** The config can't be used: every problem at once. The message is all of them, a line each. Exit code 78. */
export class ConfigInvalid extends Fatal {
  readonly file: string
  readonly problems: readonly Finding[]

  constructor(file: string, problems: readonly Finding[]) {
    const found = inOrder(problems)
    super('config', found.map(problem => sayFinding(file, problem)).join('\n'))
    this.name = 'ConfigInvalid'
    this.file = file
    this.problems = found
  }
}

/** Control characters and direction marks as \u escapes: text from a file or a peer must not drive a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, character =>
    character === '\n' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
