/** What is typed behind flags, as values; and hints when it is nothing of the kind. */
import { nearest } from '../config/nearest.ts'
import { parseTime } from '../config/units.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Arguments } from './arguments.ts'
import { UsageError } from './io.ts'

/** `; did you mean X?`, or what there is. */
export function hintOf(word: string, known: readonly string[], list = known.join(', ')): string {
  const guess = nearest(word, known)
  return guess === undefined ? `; there is ${list}` : `; did you mean ${guess}?`
}

/** The flag's value as a whole number of at least `least`. Throws `UsageError`. */
export function wholeNumber(given: Arguments, flag: string, least: number): number | undefined {
  const text = given.text(flag)
  if (text === undefined) return undefined
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least) return number
  throw new UsageError(`--${flag}: "${text}" is not a whole number of at least ${least}`, given.command)
}

/** `a,b` as a list; undefined when nothing was given. */
export function listOf(text: string | undefined): readonly string[] | undefined {
  return text?.split(',').flatMap(part => (part.trim() === '' ? [] : [part.trim()]))
}

/** A time as people write it, ms: with its zone, a day, or a time ago such as 2h. Throws `UsageError`. */
export function timeOf(given: Arguments, flag: string, clock: Clock): number | undefined {
  const text = given.text(flag)
  if (text === undefined) return undefined
  const ms = parseTime(text, clock.wall())
  if (ms !== undefined) return ms
  const like = '2026-02-03T04:05:06Z, 2026-02-03 or 2h (ago)'
  throw new UsageError(`--${flag}: "${text}" is not a time with its zone; write ${like}`, given.command)
}
