/**
 * Both sides of the books: what the three simulators say of themselves that they showed, and what is in the stream, in
 * the same words. A lane is one thing that has a history (a fault, a tenant, a run); of a log record or a row it is that
 * one record.
 */
import type { OpsEvent } from '../../../src/event.ts'
import type { Fabric } from '../../../src/simulators/apic/fabric.ts'
import type { RaasSimulator } from '../../../src/simulators/raas/server.ts'
import type { VcdSimulator } from '../../../src/simulators/vcd/simulator.ts'
import { auditKey, obligationsOf, rawOf, stepOf } from '../oracle.ts'

export interface Entry {
  /** Source and feed, e.g. `fabric-a class/faultInst`. */
  readonly feed: string
  readonly lane: string
  /** What happened to it, e.g. `raised major firing`; empty where a lane is one record. */
  readonly label: string
  /** Of a fault: the same without what depends on the step before, for when that one is lost under a gap. */
  readonly state?: string
  /** When, by the source, ms; NaN when an event doesn't say. */
  readonly at: number
  /** What must be said of it: compared member by member with what is told. */
  readonly said: Readonly<Record<string, unknown>>
}

export interface Owed extends Entry {
  /** False: it was there before opswire had to hear. Then it may be told, once. */
  readonly due: boolean
}

export interface Ledgers {
  readonly fabric: Fabric
  readonly raas: RaasSimulator
  readonly vcd: VcdSimulator
}

export const FABRIC = 'fabric-a'
export const SALT = 'salt'
export const CLOUD = 'cloud'
const TENANTS = `${FABRIC} class/fvTenant`

/** Everything that the simulators showed; due is what came at `beganAt` (wall ms) or later. In the order in which it happened. */
export function owedOf(ledgers: Ledgers, beganAt: number): Owed[] {
  return [...owedByFabric(ledgers.fabric, beganAt), ...owedBySalt(ledgers, beganAt), ...owedByCloud(ledgers, beganAt)]
}

/** The fabric's part of it. */
export function owedByFabric({ changes }: Fabric, beganAt: number): Owed[] {
  const owed: Owed[] = obligationsOf(changes).map(({ cls, key, step, state, at, whole = {} }) => {
    const said = cls === 'faultInst' ? (step.startsWith('cleared') ? {} : pick(whole, FAULT)) : pick(whole, LOG)
    const more = cls === 'faultInst' ? { state } : {}
    return { feed: `${FABRIC} class/${cls}`, lane: key, label: step, at, said, due: at >= beganAt, ...more }
  })
  const last = new Map<string, string>()
  for (const { at, change } of changes) {
    if (change.className !== 'fvTenant') continue
    const { dn, whole } = change
    const label = change.kind === 'deleted' ? 'deleted' : (whole['descr'] ?? '')
    // What the fabric writes by itself is no version of ours.
    if (last.get(dn) === label) continue
    last.set(dn, label)
    const said = change.kind === 'deleted' ? {} : pick(whole, ['descr', 'name'])
    owed.push({ feed: TENANTS, lane: dn, label, at, said, due: at >= beganAt })
  }
  return owed
}

const LOG = ['affected', 'changeSet', 'code', 'created', 'descr', 'ind', 'severity', 'txId', 'user']
const FAULT = ['code', 'severity', 'lc', 'cause']

function owedBySalt({ raas }: Ledgers, beganAt: number): Owed[] {
  const owed: Owed[] = []
  for (const jid of raas.record.runs) {
    const run = raas.tables.runs.get(jid)
    if (run === undefined) continue
    const due = run.startMs >= beganAt
    const feed = `${SALT} jobs`
    const { state, expected, returned_failed } = raas.tables.runRow(run)
    owed.push({ feed, lane: jid, label: 'started', at: run.startMs, said: { jid }, due })
    if (!String(state).startsWith('completed_')) continue
    const said = { jid, expected, outcome: returned_failed === 0 ? 'success' : 'failure' }
    owed.push({ feed, lane: jid, label: 'completed', at: run.startMs, said, due })
  }
  for (const { jid, minion, master, function: fun, content, alterTime } of raas.record.returns) {
    const at = Date.parse(`${alterTime}Z`)
    const [, , retcode] = JSON.parse(content) as unknown[]
    const said = { jid, minion, master, function: fun, outcome: retcode === 0 ? 'success' : 'failure' }
    owed.push({ feed: `${SALT} returns`, lane: `${jid}/${minion}`, label: '', at, said, due: at >= beganAt })
  }
  return owed
}

function owedByCloud({ vcd }: Ledgers, beganAt: number): Owed[] {
  return vcd.record.rows.map(({ id, type, timestampMs, user, success, tokenId }) => {
    const said = { type, user, outcome: success ? 'success' : 'failure', tokenId }
    return { feed: `${CLOUD} audit`, lane: id, label: '', at: timestampMs, said, due: timestampMs >= beganAt }
  })
}

/** The same of an event; undefined for what is no obligation: a gap, a source's own health, an update of a run under way. */
export function entryOf(event: OpsEvent): Entry | undefined {
  const { data, type } = event
  const at = Date.parse(event.time ?? '')
  if (data.kind === 'gap' || data.kind === 'source' || type === 'raas.run.updated') return undefined
  for (const cls of ['eventRecord', 'aaaModLR', 'faultInst', 'fvTenant'] as const) {
    const raw = rawOf(event, cls)
    if (raw === undefined) continue
    const feed = `${FABRIC} class/${cls}`
    if (cls === 'faultInst') {
      const [{ label }, { label: state }] = [stepOf(event, 'step'), stepOf(event, 'state')]
      return { feed, lane: event.subject, label, state, at, said: pick(raw, FAULT) }
    }
    if (cls === 'fvTenant') {
      const label = type.endsWith('.deleted') ? 'deleted' : (raw['descr'] ?? '')
      return { feed, lane: event.subject, label, at, said: pick(raw, ['descr', 'name']) }
    }
    return { feed, lane: cls === 'aaaModLR' ? auditKey(raw) : (raw['dn'] ?? ''), label: '', at, said: pick(raw, LOG) }
  }
  if (type === 'raas.return') {
    const said = { ...data.return, outcome: data.outcome }
    return { feed: `${SALT} returns`, lane: `${data.return?.jid}/${data.return?.minion}`, label: '', at, said }
  }
  if (type.startsWith('raas.run.')) {
    const said = { ...data.job, outcome: data.outcome }
    return { feed: `${SALT} jobs`, lane: `${data.job?.jid}`, label: type.slice('raas.run.'.length), at, said }
  }
  if (type.startsWith('vcd.')) {
    const row = data.raw as { eventId?: string; eventType?: string } | undefined
    const said = {
      type: row?.eventType?.replace('com/vmware/vcloud/event/', ''),
      user: data.actor?.user,
      outcome: data.outcome,
      tokenId: data.actor?.tokenId ?? null,
    }
    return { feed: `${CLOUD} audit`, lane: row?.eventId?.split(':').at(-1) ?? '', label: '', at, said }
  }
  return { feed: 'nobody', lane: event.subject, label: type, at, said: {} }
}

function pick(whole: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap(name => (whole[name] === undefined ? [] : [[name, whole[name]]])))
}
