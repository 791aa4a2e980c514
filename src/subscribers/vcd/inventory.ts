/** The token inventory: which API token is whose. Our own session may not ask for it (the vendor's guide), so a file. */
import { readFile, stat } from 'node:fs/promises'
import { parse, stringify } from 'yaml'
import { describe } from '../../errors.ts'
import { lastSegment } from './row.ts'
import type { ListedToken } from './user-login.ts'

export interface KnownToken {
  readonly name: string
  readonly owner: string | undefined
  readonly org: string | undefined
  readonly expiresMs: number | undefined
}

export interface Inventory {
  /** By bare lower-case UUID. Undefined: not in the inventory. */
  get(tokenId: string): KnownToken | undefined
  /** False without a file, and until it was read once: then no token can be called unknown. */
  readonly configured: boolean
}

export const NO_INVENTORY: Inventory = { get: () => undefined, configured: false }

/**
 * Reads the YAML list of `{id, name, owner, org, expires}`; `id` may be a bare UUID or a URN. Throws `Error` naming the
 * entry that is wrong.
 */
export function parseInventory(text: string): Inventory {
  const list: unknown = parse(text, { maxAliasCount: 0 })
  if (!Array.isArray(list)) throw new Error('must be a list of {id, name, owner, org, expires}')
  const tokens = new Map<string, KnownToken>()
  list.forEach((entry: unknown, index) => {
    const where = `entry ${index + 1}`
    if (typeof entry !== 'object' || entry === null) throw new Error(`${where} is not a mapping`)
    const { id, name, owner, org, expires, ...rest } = entry as Record<string, unknown>
    const [extra] = Object.keys(rest)
    if (extra !== undefined) throw new Error(`${where} has an unknown key "${extra}"`)
    if (typeof id !== 'string' || lastSegment(id) === '') throw new Error(`${where} has no id`)
    if (typeof name !== 'string' || name === '') throw new Error(`${where} has no name`)
    const key = lastSegment(id)
    if (tokens.has(key)) throw new Error(`${where} repeats the id ${key}`)
    tokens.set(key, {
      name,
      owner: optionalText(owner, `${where}: owner`),
      org: optionalText(org, `${where}: org`),
      expiresMs: optionalTime(expires, `${where}: expires`),
    })
  })
  return { configured: true, get: tokenId => tokens.get(tokenId) }
}

/** The text of a `token_inventory_file`, by name and then id, so that two lists of the same tokens are the same file. */
export function inventoryText(tokens: readonly ListedToken[]): string {
  const sorted = [...tokens].sort((a, b) => compare(a.name, b.name) || compare(a.id, b.id))
  return stringify(
    sorted.map(({ id, name, owner, org, expires }) => ({
      id,
      name,
      ...(owner === undefined ? {} : { owner }),
      ...(org === undefined ? {} : { org }),
      ...(expires === undefined ? {} : { expires }),
    })),
  )
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function optionalText(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new Error(`${where} is not a text`)
  return value
}

function optionalTime(value: unknown, where: string): number | undefined {
  const text = optionalText(value, where)
  if (text === undefined) return undefined
  const ms = /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:?\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw new Error(`${where} is not a date (2026-12-31) or a time with a zone`)
  return ms
}

/**
 * Follows the inventory's file: read again when it changed; what is wrong with it is told once and the old one kept. It
 * outlives sessions: one that is lost while the file is broken must not make every token unknown.
 */
export class InventoryFile {
  readonly #path: string | undefined
  #stamp: string | undefined
  /** One that was never read says nothing of any token. */
  #inventory = NO_INVENTORY

  constructor(path: string | undefined) {
    this.#path = path
  }

  get current(): Inventory {
    return this.#inventory
  }

  /**
   * Looks at the file, and reads it if it is another than before. Never rejects. Without `advise` what is wrong with it is
   * left to be told to whoever looks next.
   */
  async refresh(advise?: (text: string) => void): Promise<void> {
    if (this.#path === undefined) return
    let stamp = 'missing'
    try {
      const { mtimeMs, size, ino } = await stat(this.#path)
      stamp = `${mtimeMs}/${size}/${ino}`
      if (stamp === this.#stamp) return
      this.#inventory = parseInventory(await readFile(this.#path, 'utf8'))
    } catch (error) {
      if (stamp !== this.#stamp) advise?.(`token_inventory_file ${this.#path} is not used: ${describe(error)}`)
      if (advise === undefined) return
    }
    this.#stamp = stamp
  }
}
