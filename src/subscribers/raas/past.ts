/** What RaaS can be asked again: returns, runs, its audit. Read newest first, down to the time asked for. */
import type { RaasConfig } from '../../config/sources.ts'
import { codeOf, Poison } from '../../errors.ts'
import { eventId, type Fact, type SourceRef } from '../../event.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { StoredDeadLetter } from '../../store/contract.ts'
import type { Found, Past, Revived } from '../contract.ts'
import { isRefused, type RaasClient, type ReadingMethod } from './client.ts'
import { isOwnReading, normaliseAudit, readAudit } from './normalise-audit.ts'
import { normaliseRun, runKey } from './normalise-job.ts'
import { isHousekeeping, normaliseReturn } from './normalise-return.ts'
import { readingAround } from './oversize.ts'
import { pageOf, readReturn, readRun } from './rows.ts'
import { Pace, type ReadPage, walkDown } from './walk.ts'

export interface PastOptions {
  readonly config: RaasConfig
  readonly ref: SourceRef
  readonly clock: Clock
  readonly client: RaasClient
  readonly maxRows: number
  /** The account that reads: what it reads is itself audited, and never told. */
  readonly username: () => string | undefined
}

/** How one row becomes what is told of it. Throws `Poison`. */
type Telling = (row: unknown) => Told

interface Told {
  readonly us: number | undefined
  readonly found: readonly Found[]
}

/** Facts handed over at once. */
const PART = 500

const ORIGIN = 'backfill'

export function raasPast(options: PastOptions): Past {
  const { config, client } = options
  const rememberMs = 2 * Math.max(config.overlap, config.late_horizon)
  return {
    unaskable: config.jobs
      ? [
          'jobs: what definitions were before, counters that runs had under way, and who was missing: the server keeps only what is now',
        ]
      : [],
    async reread(fromMs, signal, take) {
      const remarks: string[] = []
      const walk = async (feed: string, method: ReadingMethod, sort: string, tell: Telling): Promise<void> => {
        const read: ReadPage = async (limit, page) => {
          signal.throwIfAborted()
          return pageOf(await client.call(method, { sort_by: sort, reverse: true, limit, page }))
        }
        try {
          const rows = await readDown(read, options, fromMs, tell, text => remarks.push(`${feed}: ${text}`))
          for (let at = 0; at < rows.length; at += PART) await take(feed, rows.slice(at, at + PART), rememberMs)
        } catch (error) {
          if (!isRefused(error)) throw error
          remarks.push(`${feed}: the server refuses ${method} to this account`)
        }
      }
      await walk('returns', 'ret.get_returns', 'alter_time', row => tellReturn(options, row))
      if (config.jobs) await walk('jobs', 'cmd.get_cmds', 'start_time', row => tellRun(options, row))
      if (config.audit) await walk('audit', 'audit.get_audit', 'start_time', row => tellAudit(options, row))
      return remarks
    },
  }
}

/** What is told of the rows, oldest first. */
async function readDown(
  page: ReadPage,
  { client, clock, maxRows }: PastOptions,
  fromMs: number,
  tell: Telling,
  remark: (text: string) => void,
): Promise<Found[]> {
  const found = new Map<string, { readonly us: number | undefined; readonly found: Found }>()
  let skipped = 0
  let bad = 0
  const skip = (): Promise<void> => {
    skipped++
    return Promise.resolve()
  }
  // From our clock to the server's, which the first answer tells.
  const fromUs = (): number => fromMs * 1000 + client.serverUs() - clock.wall() * 1000
  const result = await walkDown<Told>({
    read: readingAround(page, () => [], skip),
    pace: new Pace(),
    maxRows,
    low: fromUs,
    atUs: row => row.us,
    parse: raw => {
      try {
        return tell(raw)
      } catch (error) {
        if (!(error instanceof Poison)) throw error
        bad++
        return undefined
      }
    },
    take: ({ us, found: facts }) => {
      if (us !== undefined && us < fromUs()) return
      for (const one of facts) found.set(one.fact.id, { us, found: one })
    },
  })
  if (!result.complete) remark(`only the newest ${maxRows} rows were read`)
  if (result.tornUs.length > 0)
    remark('of some groups of rows of one time, larger than a page, not all may have been read')
  if (skipped > 0) remark(`${skipped} rows are larger than an answer may be`)
  if (bad > 0) remark(`rows that can't be understood were passed over`)
  return [...found.values()].sort((a, b) => (a.us ?? 0) - (b.us ?? 0)).map(one => one.found)
}

type Teller = Pick<PastOptions, 'config' | 'ref' | 'username'>

function tellReturn({ config, ref }: Teller, raw: unknown): Told {
  const row = readReturn(raw)
  const options = {
    raw: config.raw,
    includeBodyFor: config.returns.include_body_for,
    redact: config.returns.redact,
  }
  const found = isHousekeeping(row) ? [] : [{ fact: normaliseReturn(ref, row, options, { origin: ORIGIN }) }]
  return { us: row.alterUs, found }
}

/** A run as it is now may have been told when it ended, or later, when a late return changed its counters. */
function tellRun({ config, ref }: Teller, raw: unknown): Told {
  const row = readRun(raw)
  const facts = normaliseRun(ref, row, undefined, { raw: config.raw, origin: ORIGIN })
  const updated = eventId(ref.name, 'jobs', runKey(row, 'updated'))
  return {
    us: row.startUs,
    found: facts.map(fact => (fact.type === 'raas.run.completed' ? { fact, sameAs: [updated] } : { fact })),
  }
}

function tellAudit({ config, ref, username }: Teller, raw: unknown): Told {
  const row = readAudit(raw)
  const found = isOwnReading(row, username()) ? [] : [{ fact: normaliseAudit(ref, row, config.raw, ORIGIN) }]
  return { us: row.startUs, found }
}

/** A row that could not be understood, read once more. `isKnownRun`: the job loop follows it. */
export function reviveRow(
  letter: Pick<StoredDeadLetter, 'feed' | 'content'>,
  teller: Teller,
  isKnownRun: (jid: string) => boolean,
): Revived {
  try {
    const raw: unknown = JSON.parse(letter.content)
    if (letter.feed === 'jobs' && isKnownRun(readRun(raw).jid)) {
      return { facts: [], superseded: 'of a run that is known: the job loop follows it' }
    }
    const tell = letter.feed === 'jobs' ? tellRun : letter.feed === 'audit' ? tellAudit : tellReturn
    const facts: Fact[] = tell(teller, raw).found.map(({ fact }) => fact)
    return facts.length > 0 ? { facts } : { facts, superseded: 'never told: housekeeping, or our own reading' }
  } catch (error) {
    if (error instanceof SyntaxError) return { facts: [], dead: 'not well-formed JSON' }
    if (codeOf(error) !== 'poison') throw error
    return { facts: [], dead: (error as Error).message }
  }
}
