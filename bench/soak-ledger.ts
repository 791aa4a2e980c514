/**
 * What a soak run owes and what it delivered: the simulator's own record of changes on one side, the stream on the other.
 * Every eventRecord and aaaModLR is owed once, every transition of a fault once and in its order.
 */
import type { OpsEvent } from '../src/event.ts'
import { eventSchema } from '../src/event-schema.ts'
import type { Change } from '../src/simulators/apic/change.ts'
import type { Tapped } from '../src/sinks/nats-tap.ts'

export const FAMILIES = ['eventRecord', 'aaaModLR', 'faultInst'] as const
export type Family = (typeof FAMILIES)[number]

/** Of one thing that has a history: what was owed and what came, in their order. Of a log record: one line. */
interface Account {
  readonly family: Family
  readonly owed: Entry[]
  readonly came: Entry[]
}

interface Entry {
  readonly label: string
  /** Wall ms: when the fabric made it, or when the stream took it. */
  readonly at: number
}

export interface Verdict {
  readonly owed: Readonly<Record<Family, number>>
  readonly arrived: number
  /** Owed, not in the stream. */
  readonly lost: readonly string[]
  /** In the stream more often than owed, or never made at all. */
  readonly surplus: readonly string[]
  /** All there, in another order. */
  readonly disordered: readonly string[]
}

/** When something was made and when the stream had it, wall ms; undefined while it is missing. */
export interface Passage {
  readonly madeAt: number
  readonly storedAt: number | undefined
}

export class Ledger {
  readonly #accounts = new Map<string, Account>()
  readonly #faults = new Map<string, 'open' | 'resolved'>()
  /** Messages of these families so far. */
  arrived = 0
  /** Summaries of the `gap` events. */
  readonly gaps: string[] = []
  /** Types of the source's own events (up, degraded, down), in order. */
  readonly health: string[] = []
  /** Whatever else was in the stream and should not be: dead letters, events that break the schema. */
  readonly strange: string[] = []

  /** Takes a change from the fabric's record. Each must come once, in the order of the record. */
  owe(change: Change, at: number): void {
    const { className, dn, whole } = change
    if (className === 'eventRecord' && change.kind === 'created') this.#owe('eventRecord', dn, { label: '', at })
    // Each controller writes its own copy of an audit record, under another dn: one fact (reference b23).
    else if (className === 'aaaModLR' && change.kind === 'created') {
      const key = auditKey(whole)
      if (this.#account('aaaModLR', key).owed.length === 0) this.#owe('aaaModLR', key, { label: '', at })
    } else if (className === 'faultInst') {
      const label = this.#transition(change)
      if (label !== undefined) this.#owe('faultInst', dn, { label, at })
    }
  }

  /** Takes a message of the stream, in its order. */
  take({ event, subject, storedMs: at }: Pick<Tapped, 'event' | 'subject' | 'storedMs'>): void {
    const parsed = eventSchema.safeParse(event)
    if (subject.includes('._dead.') || !parsed.success) {
      this.strange.push(`${subject} ${JSON.stringify(event).slice(0, 200)}`)
      return
    }
    const { type, subject: about = '', data } = parsed.data
    if (data.kind === 'gap') this.gaps.push(data.summary)
    else if (data.kind === 'source') this.health.push(type)
    else if (type === 'apic.event.recorded') this.#came('eventRecord', about, { label: '', at })
    else if (type === 'apic.audit.recorded') this.#came('aaaModLR', auditKey(rawOf(parsed.data)), { label: '', at })
    else if (data.kind === 'fault') {
      const verb = type.slice('apic.fault.'.length)
      this.#came('faultInst', about, { label: labelOf(verb, rawOf(parsed.data)), at })
    } else this.strange.push(`${subject} ${type} ${about}`)
  }

  judge(): Verdict {
    const owed: Record<Family, number> = { eventRecord: 0, aaaModLR: 0, faultInst: 0 }
    const lost: string[] = []
    const surplus: string[] = []
    const disordered: string[] = []
    for (const [key, account] of this.#accounts) {
      owed[account.family] += account.owed.length
      const [due, came] = [account.owed, account.came].map(list => list.map(({ label }) => label)) as [
        string[],
        string[],
      ]
      const missing = minus(due, came)
      const extra = minus(came, due)
      for (const label of missing) lost.push(`${key} ${label}`.trimEnd())
      for (const label of extra) surplus.push(`${key} ${label}`.trimEnd())
      const isElsewhere = missing.length + extra.length === 0 && due.some((label, index) => label !== came[index])
      if (isElsewhere) disordered.push(`${key}: ${came.join(', ')} instead of ${due.join(', ')}`)
    }
    return { owed, arrived: this.arrived, lost, surplus, disordered }
  }

  /** Everything owed, with when it arrived: the nth of a label is the nth that came. */
  *passages(): Iterable<Passage> {
    for (const { owed, came } of this.#accounts.values()) {
      const left = [...came]
      for (const { label, at } of owed) {
        const found = left.findIndex(entry => entry.label === label)
        const [entry] = found < 0 ? [] : left.splice(found, 1)
        yield { madeAt: at, storedAt: entry?.at }
      }
    }
  }

  #owe(family: Family, key: string, entry: Entry): void {
    this.#account(family, key).owed.push(entry)
  }

  #came(family: Family, key: string, entry: Entry): void {
    this.arrived++
    this.#account(family, key).came.push(entry)
  }

  #account(family: Family, key: string): Account {
    const name = `${family} ${key}`
    let account = this.#accounts.get(name)
    if (account === undefined) {
      account = { family, owed: [], came: [] }
      this.#accounts.set(name, account)
    }
    return account
  }

  /** What the daemon promises to tell of a change to a fault (docs/ARCHITECTURE.md); undefined where it is nothing. */
  #transition({ kind, dn, attributes, whole }: Change): string | undefined {
    const before = this.#faults.get(dn)
    if (kind === 'deleted') {
      this.#faults.delete(dn)
      return before === 'open' ? 'cleared' : undefined
    }
    const { lc = '', severity } = whole
    if (severity === 'cleared' || lc === 'retaining') {
      this.#faults.set(dn, 'resolved')
      return before === 'resolved' ? undefined : 'cleared'
    }
    this.#faults.set(dn, 'open')
    if (lc.endsWith('-clearing')) return labelOf('clearing', whole)
    return labelOf(kind === 'created' || attributes['lc'] !== undefined ? 'raised' : 'changed', whole)
  }
}

function auditKey(attributes: Readonly<Record<string, string>>): string {
  const { txId = '', affected = '', ind = '' } = attributes
  return `${txId} ${affected} ${ind}`
}

/** How bad it is belongs to what is told, except of an end: what is gone has only a last state. */
function labelOf(verb: string, { lc = '', severity = '' }: Readonly<Record<string, string>>): string {
  return verb === 'cleared' ? verb : `${verb} ${lc}/${severity}`
}

function rawOf(event: OpsEvent): Record<string, string> {
  const [object] = Object.values((event.data.raw ?? {}) as Record<string, { attributes?: Record<string, string> }>)
  return object?.attributes ?? {}
}

/** What is left of `all` when each of `gone` takes one of its kind away. */
function minus(all: readonly string[], gone: readonly string[]): string[] {
  const left = [...all]
  for (const label of gone) {
    const found = left.indexOf(label)
    if (found >= 0) left.splice(found, 1)
  }
  return left
}
