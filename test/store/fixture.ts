/** What the store's tests share: a folder that goes away, a clock turned by hand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Happening } from '../../src/report.ts'
import { openStore, type StoreOptions } from '../../src/store/open.ts'
import type { SqliteStore } from '../../src/store/store.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

const open = new Set<SqliteStore>()
const folders: string[] = []

afterEach(async () => {
  for (const store of open) await store.close()
  open.clear()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** An empty folder, gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'opswire-store-'))
  folders.push(path)
  return path
}

/** Stands still while a thread writes: so that takes no time, as a commit of this thread takes none. */
class PatientClock extends ManualClock {
  store: SqliteStore | undefined

  override async advance(ms: number): Promise<void> {
    if (this.store?.thread === undefined) return super.advance(ms)
    const end = this.now() + ms
    while (this.now() < end) {
      await super.advance(Math.min(end - this.now(), this.next ?? ms))
      await until(() => this.store?.thread !== 'writing', 'the end of what is being written')
    }
    await super.advance(0)
  }
}

export interface Opened {
  readonly store: SqliteStore
  readonly clock: ManualClock
  readonly told: Happening[]
  /** The states of the store that were reported, in order. */
  states(): string[]
}

/** Closes the store after the test at the latest. */
export function watch(store: SqliteStore): SqliteStore {
  open.add(store)
  return store
}

export const MIB = 1024 * 1024

export async function opened(stateDir: string | undefined, more: Partial<StoreOptions> = {}): Promise<Opened> {
  const clock = new PatientClock()
  const told: Happening[] = []
  const store = await openStore({
    stateDir,
    maxBytes: 64 * MIB,
    retainAckedMs: 180_000,
    maxDeadLetters: 100,
    clock,
    report: happening => told.push(happening),
    ...more,
  })
  watch(store)
  clock.store = store
  if (more.thread === true) await until(() => store.thread, 'a thread that writes')
  const states = (): string[] => told.flatMap(happening => (happening.type === 'store_state' ? [happening.state] : []))
  return { store, clock, told, states }
}
