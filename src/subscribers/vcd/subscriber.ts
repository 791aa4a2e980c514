/** VMware Cloud Director as a source: one feed, `audit`, polled with an API token. */
import type { VcdConfig } from '../../config/sources.ts'
import { codeOf, describe } from '../../errors.ts'
import type { SourceRef } from '../../event.ts'
import type { LeaseKind } from '../../report.ts'
import { every } from '../../scheduler/interval.ts'
import { BatchQueue } from '../batch-queue.ts'
import type { Batch, OpenContext, Past, Replayable, Session } from '../contract.ts'
import { type ApiMemory, VcdApi } from './api.ts'
import { EventTypes } from './event-types.ts'
import { Hours } from './hours.ts'
import { InventoryFile } from './inventory.ts'
import { Learned } from './learned.ts'
import { OrgNames, type OrgsMemory } from './org-names.ts'
import { OwnLogin, type OwnLoginMemory } from './own-login.ts'
import { PageSize } from './page-size.ts'
import { Pages, type PagesMemory } from './pages.ts'
import { reviveRow, vcdPast } from './past.ts'
import { FEED, fromCursor, Seen } from './position.ts'
import type { AuditRow } from './row.ts'
import { Trail } from './trail.ts'

/**
 * What outlives a session, in memory: an access token is good for many sessions (each login writes two audit events
 * that we would read), and so is what is known of rows already committed.
 */
interface SourceMemory extends ApiMemory, PagesMemory, OrgsMemory, OwnLoginMemory {
  readonly seen: Seen
  readonly inventory: InventoryFile
  readonly types: EventTypes
  /** Undefined until read from the store. */
  hours: Hours | undefined
  /** The last cursor that was committed; another one in the store means that `seen` does not describe that store. */
  cursor: string | undefined
}

/** The subscriber of one configured source. */
export function vcdSubscriber(config: VcdConfig): Replayable {
  const ref: SourceRef = { system: 'vcd', name: config.name }
  const memory: SourceMemory = {
    inventory: new InventoryFile(config.token_inventory_file),
    types: new EventTypes(),
    current: undefined,
    unsaved: undefined,
    version: undefined,
    versionAt: Number.NEGATIVE_INFINITY,
    pageSize: new PageSize(),
    seen: new Seen(),
    cursor: undefined,
    hours: undefined,
    orgs: [],
    orgsAt: Number.NEGATIVE_INFINITY,
    orgsFailed: false,
    ownTokenId: undefined,
    shownSession: undefined,
    awaited: undefined,
  }
  return {
    ref,
    pushes: false,
    async open(context: OpenContext): Promise<Session> {
      const { report } = context
      const proofBoundMs = Math.max(60_000, 4 * config.poll_interval)
      report({ type: 'feed_declared', source: config.name, feed: FEED, proofBoundMs })
      report({ type: 'feed_state', source: config.name, feed: FEED, state: 'starting' })
      const session = new VcdSession(config, ref, context, memory)
      try {
        await session.login()
      } catch (error) {
        session.lost(error)
        await session.close()
        throw error
      }
      return session
    },
    async revive({ content }, { mirror }) {
      const { orgs, inventory } = memory
      await inventory.refresh()
      return reviveRow(content, { config, ref, mirror, inventory: inventory.current, orgs })
    },
    async visit({ clock, report, signal, stateDir, mirror }) {
      const api = new VcdApi({ config, clock, report, signal, stateDir, memory })
      const { inventory } = memory
      try {
        await inventory.refresh(text => report({ type: 'advice', source: config.name, text }))
        await api.open()
        await new OrgNames(memory, { api, clock, report, config }).refresh()
      } catch (error) {
        await api.close()
        throw error
      }
      const past = vcdPast({ config, ref, clock, api, memory, mirror, inventory: () => inventory.current })
      return { past, close: () => api.close() }
    },
  }
}

class VcdSession implements Session {
  readonly #config: VcdConfig
  readonly #ref: SourceRef
  readonly #context: OpenContext
  readonly #memory: SourceMemory
  readonly #over = new AbortController()
  readonly #signal: AbortSignal
  readonly #api: VcdApi
  readonly #queue = new BatchQueue()
  #toldExpiryMs: number | undefined
  #running: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(config: VcdConfig, ref: SourceRef, context: OpenContext, memory: SourceMemory) {
    const { clock, report, stateDir } = context
    this.#config = config
    this.#ref = ref
    this.#context = context
    this.#memory = memory
    this.#signal = AbortSignal.any([context.signal, this.#over.signal])
    this.#api = new VcdApi({ config, clock, report, signal: this.#signal, stateDir, memory })
  }

  async login(): Promise<void> {
    await this.#readInventory()
    await this.#api.open()
  }

  /** Reading starts with the iteration. */
  [Symbol.asyncIterator](): AsyncIterator<Batch> {
    this.#running ??= this.#run()
    return this.#queue[Symbol.asyncIterator]()
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#over.abort(new Error('the session is closed'))
      await this.#running
      this.#queue.end()
      await this.#api.close()
    })()
    return this.#closed
  }

  get past(): Past {
    const { clock, mirror } = this.#context
    const inventory = () => this.#memory.inventory.current
    const own = { config: this.#config, ref: this.#ref, api: this.#api, memory: this.#memory }
    return vcdPast({ ...own, clock, mirror, inventory })
  }

  margins(): Partial<Record<LeaseKind, number>> {
    const session = this.#api.marginSeconds()
    return session === undefined ? {} : { session }
  }

  lost(error: unknown): void {
    if (this.#signal.aborted) return
    const { report } = this.#context
    const { name } = this.#config
    const [reason, code] = [describe(error), codeOf(error)]
    report({ type: 'feed_state', source: name, feed: FEED, state: 'lost', reason, code })
  }

  /** Never rejects: how it ended is what the iteration tells. */
  async #run(): Promise<void> {
    try {
      await this.#poll()
    } catch (error) {
      this.lost(error)
      if (!this.#signal.aborted) this.#queue.fail(error)
    }
    this.#queue.end()
  }

  async #poll(): Promise<void> {
    const { clock, report } = this.#context
    const config = this.#config
    const memory = this.#memory
    const { seen } = memory
    const { mirror, doubt } = this.#context
    const cursor = this.#context.cursor(FEED)
    if (JSON.stringify(cursor) !== memory.cursor) {
      seen.reset()
      memory.hours = undefined
    }
    const sweptTo = fromCursor(cursor)?.sweep
    memory.hours ??= new Hours(mirror, sweptTo === undefined ? undefined : sweptTo - config.overlap)
    const orgs = new OrgNames(memory, { api: this.#api, clock, report, config })
    const own = new OwnLogin(memory, { config, mirror, doubt, serverNow: () => this.#api.serverNow() })
    const trail = new Trail(
      {
        config,
        ref: this.#ref,
        clock,
        report,
        signal: this.#signal,
        lostAtMs: () => this.#context.lostAtMs(),
        pages: new Pages(this.#api, this.#memory),
        seen,
        learned: new Learned(mirror),
        hours: memory.hours,
        orgName: id => orgs.name(id),
        inventory: () => memory.inventory.current,
        serverNow: () => this.#api.serverNow(),
        push: batch => this.#push(batch),
        onRow: row => {
          own.see(row, this.#api.sessionId)
          this.#noteType(row)
        },
        alsoLearned: () => own.changes(),
      },
      cursor,
    )
    const pauseMs = Math.min(config.poll_interval, config.sweep_interval)
    const turn = async (): Promise<void> => {
      await this.#readInventory()
      await orgs.refresh()
      await trail.turn()
      own.look(this.#api.sessionId)
      this.#tellExpiry()
    }
    await every(clock, pauseMs, turn, { signal: this.#signal, jitter: 0.1 })
  }

  #push(batch: Batch): Promise<void> {
    return this.#queue.push({
      ...batch,
      committed: () => {
        this.#memory.cursor = JSON.stringify(batch.cursor)
        batch.committed?.()
      },
    })
  }

  #noteType(row: AuditRow): void {
    const type = this.#memory.types.strange(row)
    if (type === undefined) return
    const text = `audit events of a type that opswire does not know, ${type}: published like any other`
    this.#context.report({ type: 'advice', source: this.#config.name, text })
  }

  #readInventory(): Promise<void> {
    const { report } = this.#context
    return this.#memory.inventory.refresh(text => report({ type: 'advice', source: this.#config.name, text }))
  }

  #tellExpiry(): void {
    const { ownTokenId } = this.#memory
    const atMs = ownTokenId === undefined ? undefined : this.#memory.inventory.current.get(ownTokenId)?.expiresMs
    if (atMs === undefined || atMs === this.#toldExpiryMs) return
    this.#toldExpiryMs = atMs
    this.#context.report({ type: 'credential_expiry', source: this.#config.name, atMs })
  }
}
