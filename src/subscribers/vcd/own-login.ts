/**
 * Our own login as a canary: each login with an API token shows in the trail as events of its session. When ours did show and
 * does not any more, this login sees less than before, though every request is answered well (vcd.md b15).
 */
import type { VcdConfig } from '../../config/sources.ts'
import type { MirrorChange, MirrorView } from '../../record.ts'
import type { AuditRow } from './row.ts'

const KEY = 'vcd.own/login'
/** Beyond the overlap and a sweep: a row's way into the trail. */
const GRACE_MS = 60_000
const DOUBT = 'visibility'

/** What stays between two sessions of one source, in memory only. */
export interface OwnLoginMemory {
  /** Our own API token's id, learned from our login's event. */
  ownTokenId: string | undefined
  /** The last session of ours that was seen in the trail. */
  shownSession: string | undefined
  /** The session that is waited for, and since when by the cell's clock. */
  awaited: { readonly session: string; readonly sinceMs: number } | undefined
}

export interface OwnLoginOptions {
  readonly config: VcdConfig
  readonly mirror: MirrorView
  readonly doubt: (about: string, text: string | undefined) => void
  readonly serverNow: () => number
}

export class OwnLogin {
  readonly #memory: OwnLoginMemory
  readonly #options: OwnLoginOptions
  /** What the store has of it: that logins of ours show is known over restarts. */
  #stored: string | undefined
  #change: MirrorChange | undefined
  #doubted = false

  constructor(memory: OwnLoginMemory, options: OwnLoginOptions) {
    this.#memory = memory
    this.#options = options
    this.#stored = options.mirror.get(KEY)?.attributes['token']
    if (this.#stored !== undefined && this.#stored !== '') memory.ownTokenId ??= this.#stored
  }

  /** A row was read while `session` (bare UUID; empty or undefined: not known) was ours. */
  see(row: AuditRow, session: string | undefined): void {
    // What an extension posts may name any session.
    if (row.external || session === undefined || session === '' || row.sessionId !== session) return
    const memory = this.#memory
    memory.shownSession = session
    if (row.tokenId !== undefined) memory.ownTokenId = row.tokenId
    const token = memory.ownTokenId ?? ''
    if (this.#stored === token) return
    this.#stored = token
    this.#change = { key: KEY, object: { key: KEY, family: 'vcd.own', version: '', attributes: { token } } }
  }

  /** To be committed with the page that showed it; given once. */
  changes(): MirrorChange[] {
    const change = this.#change
    this.#change = undefined
    return change === undefined ? [] : [change]
  }

  /** After each read: doubts what is seen when our session should have shown by now. */
  look(session: string | undefined): void {
    const memory = this.#memory
    const { config, serverNow, doubt } = this.#options
    if (session === undefined || session === '') return
    if (memory.awaited?.session !== session) memory.awaited = { session, sinceMs: serverNow() }
    const boundMs = config.overlap + config.sweep_interval + GRACE_MS
    // Where no login of ours was ever seen, cells may not write one.
    const expected = this.#stored !== undefined && memory.shownSession !== session
    const missed = expected && serverNow() - memory.awaited.sinceMs > boundMs
    if (missed === this.#doubted) return
    this.#doubted = missed
    const text = `our own login is not in the audit trail, ${Math.round(boundMs / 1000)} s after it: the role of the API token sees less than before`
    doubt(DOUBT, missed ? text : undefined)
  }
}
