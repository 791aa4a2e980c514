/** What VMware Cloud Director can be asked again: its audit trail, as long as the cell keeps it. */
import type { VcdConfig } from '../../config/sources.ts'
import { describe, Poison } from '../../errors.ts'
import type { Fact, SourceRef } from '../../event.ts'
import type { MirrorView } from '../../record.ts'
import { type Clock, sleep } from '../../scheduler/clock.ts'
import type { Past, Revived } from '../contract.ts'
import type { VcdApi } from './api.ts'
import type { Inventory } from './inventory.ts'
import { Learned } from './learned.ts'
import { normalise } from './normalise.ts'
import type { Org } from './orgs.ts'
import { Pages, type PagesMemory } from './pages.ts'
import { FEED } from './position.ts'
import { type AuditRow, readRow } from './row.ts'

/** What names in events come from. */
export interface Naming {
  readonly config: VcdConfig
  readonly ref: SourceRef
  readonly mirror: MirrorView
  readonly inventory: Inventory
  readonly orgs: readonly Org[]
}

export interface PastOptions extends Omit<Naming, 'inventory' | 'orgs'> {
  readonly clock: Clock
  readonly api: VcdApi
  readonly memory: PagesMemory & { readonly orgs: readonly Org[] }
  readonly inventory: () => Inventory
}

/** As in a catch-up: so many pages at once, further ones spaced. */
const BURST_PAGES = 8
const SPACING_MS = 500
/** Hours younger than a day may be read again by the trail itself. */
const REMEMBER_MS = 27 * 3_600_000

export function vcdPast(options: PastOptions): Past {
  const { config, clock, api, memory } = options
  return {
    unaskable: [],
    async reread(fromMs, signal, take) {
      const tell = teller({ ...options, inventory: options.inventory(), orgs: memory.orgs })
      let asked = 0
      const pause = async (): Promise<void> => {
        signal.throwIfAborted()
        if (++asked >= BURST_PAGES) await sleep(clock, SPACING_MS, signal)
      }
      let missing = 0
      let bad = 0
      // From our clock to the cell's.
      const span = { fromMs: fromMs + api.serverNow() - clock.wall() }
      for await (const page of new Pages(api, memory).through(span, pause)) {
        missing += page.missing
        bad += page.dead.length
        const rows = [...page.rows].sort((a, b) => a.timeMs - b.timeMs)
        await take(
          FEED,
          rows.map(row => ({ fact: tell(row) })),
          Math.max(REMEMBER_MS, 2 * config.overlap),
        )
      }
      return [
        ...(missing > 0 ? [`${FEED}: ${missing} rows of one millisecond that the cell counts were not shown`] : []),
        ...(bad > 0 ? [`${FEED}: rows that can't be understood were passed over`] : []),
      ]
    },
  }
}

/** A row that could not be understood, read once more. */
export function reviveRow(content: string, naming: Naming): Revived {
  try {
    return { facts: [teller(naming)(readRow(JSON.parse(content)))] }
  } catch (error) {
    if (error instanceof SyntaxError) return { facts: [], dead: 'not well-formed JSON' }
    if (!(error instanceof Poison)) throw error
    return { facts: [], dead: describe(error) }
  }
}

/** What is read so late raises no flag: it is no news to an alarm. */
function teller({ config, ref, mirror, inventory, orgs }: Naming): (row: AuditRow) => Fact {
  const learned = new Learned(mirror)
  return row =>
    normalise(row, {
      source: ref,
      origin: 'backfill',
      inventory,
      flags: [],
      orgName: id =>
        id === undefined ? (orgs.length === 1 ? orgs[0]?.name : undefined) : orgs.find(org => org.id === id)?.name,
      sessionOrigin: id => learned.sessionOrigin(id),
      raw: config.raw,
    })
}
