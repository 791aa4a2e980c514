/** A return row → `raas.return`. Pure. */
import { hash } from 'node:crypto'
import { type Fact, makeFact, type Origin, type SourceRef } from '../../event.ts'
import { flatText } from '../../flat-text.ts'
import { maskText } from './mask-text.ts'
import { matcherOf, redacted, without } from './redact.ts'
import { isoOfUs, type ReturnRow, type Row } from './rows.ts'
import { verdictOf } from './verdict.ts'

export interface ReturnOptions {
  /** Carry the row in `data.raw`. */
  readonly raw: boolean
  /** Functions (shell patterns) whose body is published. */
  readonly includeBodyFor: readonly string[]
  /** Property names masked in published bodies, beside the ones that always are. */
  readonly redact: readonly string[]
}

export interface ReturnContext {
  readonly origin: Origin
  /** 2 and up for a later version of the same minion's return, as far as this session has seen. */
  readonly revision?: number | undefined
}

/** Salt asks these of minions by itself, every few seconds of a job's life. */
const HOUSEKEEPING = new Set(['saltutil.find_job', 'saltutil.refresh_grains'])

export function isHousekeeping(row: Pick<ReturnRow, 'fun'>): boolean {
  return HOUSEKEEPING.has(row.fun)
}

/** JSON with sorted keys: the database may give an object's keys in any order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

/**
 * What was returned, without when: a row written again with the same content is the same fact, a row with other
 * content a new one.
 */
export function contentDigest(row: ReturnRow): string {
  const { fun, funArgs, hasErrors, success, retcode, body } = row
  return hash('sha256', canonical([fun, funArgs, hasErrors, success, retcode, body]), 'hex')
}

/** One fact for each version of a minion's return; all versions share subject and partitionkey `jid/minion`. */
export function normaliseReturn(
  source: SourceRef,
  row: ReturnRow,
  options: ReturnOptions,
  context: ReturnContext,
): Fact {
  const verdict = verdictOf(row)
  const withBody = options.raw && row.hasBody && matcherOf(options.includeBodyFor)(row.fun)
  const us = row.stampUs ?? row.alterUs
  const failed = verdict.outcome === 'failure'
  const name = flatText(`${row.jid}/${row.minion}`)
  const word = verdict.outcome === 'unknown' ? 'returned' : failed ? 'failed' : 'succeeded'
  return makeFact(source, {
    family: 'returns',
    key: [row.jid, row.master, row.minion, contentDigest(row)],
    type: 'raas.return',
    subject: name,
    ...(us === undefined ? {} : { time: isoOfUs(us) }),
    partitionkey: name,
    severity: failed ? 'minor' : 'info',
    origin: context.origin,
    data: {
      kind: 'return',
      summary: `${row.fun || 'A function'} ${word} on ${row.minion}: ${verdict.reason} (job ${row.jid})`,
      state: null,
      outcome: verdict.outcome,
      alertKey: null,
      resource: { kind: 'minion', id: row.minion, minion: row.minion, master: row.master, jid: row.jid },
      return: {
        jid: row.jid,
        minion: row.minion,
        master: row.master,
        function: row.fun,
        reason: verdict.reason,
        failed: verdict.failed,
        changed: verdict.changed,
        total: verdict.total,
        ...(verdict.failedStates.length === 0
          ? {}
          : { failedStates: verdict.failedStates.map(id => maskText(id, options.redact)) }),
        hasErrors: row.hasErrors,
        success: row.success,
        retcode: row.retcode,
        ...(context.revision === undefined ? {} : { revision: context.revision }),
        ...(withBody ? {} : { omitted: true }),
      },
      ...(options.raw ? { raw: rawOf(row, withBody, options.redact) } : {}),
    },
  })
}

function rawOf(row: ReturnRow, withBody: boolean, redact: readonly string[]): unknown {
  const bodies = ['return', 'fun_args']
  const whole = row.raw
  const full = whole['full_ret']
  const light: Row =
    full === undefined || full === null ? whole : { ...whole, full_ret: without(full as Row, withBody ? [] : bodies) }
  return redacted(withBody ? whole : without(light, bodies), redact)
}
