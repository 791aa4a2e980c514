/** A secret of the config: where to read it, never what it is. Prints as a mask. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Fatal } from '../errors.ts'

export type SecretOrigin = 'inline' | 'file' | 'credential' | 'env'

const MASK = '********'

export class Secret {
  readonly origin: SecretOrigin
  /** Path, credential name or variable name; the mask for an inline value. */
  readonly place: string
  readonly #value: string

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

  /**
   * The secret's text as it is now, without the line end of its file. Read anew at each login.
   * Throws `Fatal('config')`, naming the place but never the content.
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
    try {
      text = await readFile(path, 'utf8')
    } catch (error) {
      throw new Fatal('config', `can't read the secret file ${path}`, { cause: error })
    }
    const value = text.replace(/\r?\n$/, '')
    if (value === '') throw new Fatal('config', `the secret file ${path} is empty`)
    return value
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

type SecretShape<N extends string> = {
  [K in N | `${N}_file` | `${N}_credential` | `${N}_env`]: z.ZodOptional<z.ZodString>
}

/** The four ways to name a secret, as optional keys for a strict object. */
export function secretKeys<N extends string>(name: N): SecretShape<N> {
  const key = z.string().min(1).optional()
  return {
    [name]: key.describe(`The secret itself. Works, with a warning: anyone who reads this file has it.`),
    [`${name}_file`]: key.describe('A file that holds it; read anew at each login.'),
    [`${name}_credential`]: key.describe('A systemd credential: a file of this name in $CREDENTIALS_DIRECTORY.'),
    [`${name}_env`]: key.describe('An environment variable that holds it.'),
  } as SecretShape<N>
}

/** Takes the one spelling that is set; adds an issue when there are several, or none and it is needed. */
export function takeSecret(
  object: Readonly<Record<string, unknown>>,
  name: string,
  needed: boolean,
  addIssue: (message: string, path: string[]) => void,
): Secret | undefined {
  const found: Secret[] = []
  for (const origin of ['inline', 'file', 'credential', 'env'] as const) {
    const value = object[origin === 'inline' ? name : `${name}_${origin}`]
    if (typeof value === 'string') found.push(new Secret(origin, value))
  }
  if (found.length > 1) {
    addIssue(`give exactly one of ${name}, ${name}_file, ${name}_credential, ${name}_env (${found.length} are set)`, [
      name,
    ])
  }
  if (found.length === 0 && needed) {
    addIssue(`missing: one of ${name}_file, ${name}_credential, ${name}_env or ${name}`, [])
  }
  return found[0]
}
