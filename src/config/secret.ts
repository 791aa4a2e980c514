/** A secret of the config: where to read it, never what it is. Prints as a mask. */
import { type Stats, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Fatal, fileError } from '../errors.ts'
import type { AddIssue } from './rules.ts'

export type SecretOrigin = 'inline' | 'file' | 'credential' | 'env'

const MASK = '********'

export class Secret {
  readonly origin: SecretOrigin
  /** Path, credential name or variable name; the mask for an inline value. */
  readonly place: string
  readonly #value: string
  /** What its file was when it was read last, `none` when there was none; undefined before that. */
  #seen: string | undefined

  constructor(origin: SecretOrigin, value: string) {
    this.origin = origin
    this.place = origin === 'inline' ? MASK : value
    this.#value = value
  }

  /** The file to watch for a change, if the secret comes from one. */
  get path(): string | undefined {
    if (this.origin === 'file') return this.#value
    if (this.origin !== 'credential') return undefined
    const directory = process.env['CREDENTIALS_DIRECTORY']
    return directory === undefined ? undefined : join(directory, this.#value)
  }

  /** True when both name the same place, or hold the same text inline. */
  isSameAs(other: Secret): boolean {
    return this.origin === other.origin && this.#value === other.#value
  }

  /**
   * The secret's text as it is now, without the line end of its file. Read anew at each login.
   * Throws `Fatal('config')`, or `fileError`, naming the place but never the content.
   */
  async read(): Promise<string> {
    if (this.origin === 'inline') return this.#value
    if (this.origin === 'env') {
      const value = process.env[this.#value]
      if (value === undefined || value === '')
        throw new Fatal('config', `environment variable ${this.#value} is not set`)
      return value
    }
    const path = this.path
    if (path === undefined) {
      throw new Fatal('config', `credential ${this.#value}: $CREDENTIALS_DIRECTORY is not set (systemd sets it)`)
    }
    let text: string
    this.#seen = 'none'
    try {
      const handle = await open(path, 'r')
      try {
        // Before the content: a change in between is found again rather than missed.
        this.#seen = stampOf(await handle.stat())
        text = await handle.readFile('utf8')
      } finally {
        await handle.close()
      }
    } catch (error) {
      throw fileError('config', `can't read the secret file ${path}`, error)
    }
    const value = text.replace(/\r?\n$/, '')
    if (value === '') throw new Fatal('config', `the secret file ${path} is empty`)
    return value
  }

  /** True when its file is another by now than the one that was read last; false when none was read, or it has no file. */
  hasChanged(): boolean {
    const { path } = this
    if (path === undefined || this.#seen === undefined) return false
    try {
      return stampOf(statSync(path)) !== this.#seen
    } catch {
      return this.#seen !== 'none'
    }
  }

  toString(): string {
    return this.origin === 'inline' ? MASK : `${this.origin}:${this.place}`
  }

  toJSON(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

export function stampOf({ mtimeMs, ino, size }: Stats): string {
  return `${mtimeMs} ${ino} ${size}`
}

type SecretShape<N extends string> = {
  [K in N | `${N}_file` | `${N}_credential` | `${N}_env`]: z.ZodOptional<z.ZodString>
}

const credentialName = z
  .string()
  .regex(/^[^/\s]+$/, 'must be the name of a credential, not a path')
  .optional()
const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')
  .optional()

interface SecretDoc {
  /** What it is, as the middle of a sentence: "the password of the login". */
  readonly what: string
  /** A path for the sample config. */
  readonly example: string
  /** The sample shows `X_file` as something that must be set. */
  readonly mustBeSet?: boolean
  /** The key of the same block that this secret replaces, when it is one of several ways to log in. */
  readonly insteadOf?: string
  /** What else it needs: a sentence for the reference page. */
  readonly needs?: string
}

/** The four ways to name a secret, as optional keys for a strict object. `writeOnly` marks what must never be shown. */
export function secretKeys<N extends string>(name: N, doc: SecretDoc): SecretShape<N> {
  const key = z.string().min(1).optional()
  const file = {
    description: `A file that holds ${doc.what}. It is read again at each login.`,
    examples: [doc.example],
    ...(doc.mustBeSet === true ? { 'x-must-be-set': true } : {}),
    ...(doc.insteadOf === undefined ? {} : { 'x-instead-of': doc.insteadOf }),
    ...(doc.needs === undefined ? {} : { 'x-needs': doc.needs }),
  }
  const instead = { 'x-instead-of': `${name}_file` }
  return {
    [`${name}_file`]: key.meta(file),
    [`${name}_credential`]: credentialName.meta({
      description: 'The name of a systemd credential, a file in $CREDENTIALS_DIRECTORY, that holds it.',
      ...instead,
    }),
    [`${name}_env`]: variableName.meta({
      description: 'The name of an environment variable that holds it.',
      ...instead,
    }),
    [name]: key.meta({
      description: 'The secret itself. Works, with a warning: everyone who can read this file has it.',
      writeOnly: true,
      ...instead,
    }),
  } as SecretShape<N>
}

/** Takes the one spelling that is set; adds an issue when there are several, or none and it is needed. */
export function takeSecret(
  object: Readonly<Record<string, unknown>>,
  name: string,
  needed: boolean,
  addIssue: AddIssue,
): Secret | undefined {
  const found: Secret[] = []
  const keys: string[] = []
  for (const origin of ['inline', 'file', 'credential', 'env'] as const) {
    const key = origin === 'inline' ? name : `${name}_${origin}`
    const value = object[key]
    if (value !== undefined) keys.push(key)
    if (typeof value === 'string') found.push(new Secret(origin, value))
  }
  const last = keys.at(-1)
  if (keys.length > 1 && last !== undefined) {
    addIssue(
      `give exactly one of ${name}_file, ${name}_credential, ${name}_env, ${name} (${keys.join(' and ')} are set)`,
      [last],
    )
  }
  if (keys.length === 0 && needed) {
    const spellings = [`${name}_file`, `${name}_credential`, `${name}_env`, name]
    addIssue(`is missing a secret: one of ${spellings.join(', ')}`, [], spellings)
  }
  return found[0]
}
