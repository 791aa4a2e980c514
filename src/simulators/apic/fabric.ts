/**
 * One fabric: the tree, the logs and what changes them. Several simulated controllers may serve it, each with sessions
 * of its own. Every change is told to the controllers, which push it.
 */
import type { Time } from '../server.ts'
import { Announcer, type Told } from './announcer.ts'
import { type Author, NOBODY, type SessionHappening, sessionRecord } from './audit.ts'
import type { MoBody } from './body.ts'
import type { Change } from './change.ts'
import { isoStamp } from './compare.ts'
import { type Fact, hidePassword, newRecord, recordsOf } from './consequences.ts'
import { joinDn, parentOf } from './dn.ts'
import { defaultFabricKnobs, type FabricKnobs } from './fabric-knobs.ts'
import { changedFault, raisedFault } from './faults.ts'
import { type LogOptions, Logs } from './logs.ts'
import { type Attributes, Model } from './model.ts'
import { planPost, type Step } from './plan.ts'
import { ApicError } from './refusal.ts'
import { leafObjects, seed } from './seed.ts'
import { type Mo, Tree } from './tree.ts'

export type { Change } from './change.ts'

export interface FabricOptions extends LogOptions {
  readonly time: Time
  readonly version?: string
  /** Minutes that the fabric's display zone is ahead of UTC. */
  readonly utcOffsetMinutes?: number
  /** Ms that the fabric's clock is ahead of `time.wall()`. */
  readonly clockAheadMs?: number
}

const HOUSEKEPT: ReadonlySet<string> = new Set(['fvAEPg', 'fvBD', 'fvCtx', 'l3extInstP'])

export class Fabric {
  readonly time: Time
  readonly version: string
  readonly model = new Model()
  readonly tree = new Tree()
  readonly logs: Logs
  readonly knobs: FabricKnobs = defaultFabricKnobs()
  /** Passwords of the users that were posted. */
  readonly passwords = new Map<string, string>()
  clockAheadMs: number
  readonly #offsetMinutes: number
  readonly #announcer: Announcer
  /** Monotonic ms at which objects came to be, of those made since the start. */
  readonly #born = new Map<string, number>()
  #lastId = 4_294_967_296
  #txId = 576_460_752_303_423_488n
  #lastTag = 16_385

  constructor(options: FabricOptions) {
    this.time = options.time
    this.version = options.version ?? '6.0(9c)'
    this.logs = new Logs(options)
    this.clockAheadMs = options.clockAheadMs ?? 0
    this.#offsetMinutes = options.utcOffsetMinutes ?? 0
    this.#announcer = new Announcer(options.time, name => this.model.isLog(name))
    seed(this.tree, this.stamp(), this.version)
  }

  /** The fabric's time, as it prints it: ISO 8601, ms, display offset. */
  stamp(ms = this.time.wall() + this.clockAheadMs): string {
    return isoStamp(ms, this.#offsetMinutes)
  }

  /** Every change made, oldest first, with the wall time it was made at. */
  get changes(): readonly Told[] {
    return this.#announcer.told
  }

  /** How much the fabric still does later of what has happened: late records, late pushes. */
  get later(): number {
    return this.#announcer.later
  }

  /** Calls `listener` with the changes of each transaction, in order; gives the way to stop it. */
  onChange(listener: (changes: readonly Change[]) => void): () => void {
    return this.#announcer.onChange(listener)
  }

  /** Calls `listener` with a node that subscriptions made before hear nothing more of; gives the way to stop it. */
  onDeaf(listener: (node: string) => void): () => void {
    return this.#announcer.onDeaf(listener)
  }

  /**
   * Posts a body at a DN ('' when the body holds it), all of it or nothing. Gives the objects that really changed or are
   * new. Log records are posted the same way. Throws `ApicError`.
   */
  post(base: string, body: MoBody, author: Author = NOBODY): Mo[] {
    if (this.model.isLog(body.className)) return [this.#postRecord(base, body)]
    const steps = planPost(this.model, this.tree, base, body)
    const changes: Change[] = []
    const txId = this.#nextTxId()
    for (const step of steps) {
      if (step.action === 'delete') this.#delete(step.dn, changes, author, txId)
      else this.#upsert(step, changes, author, txId)
    }
    this.#tell(changes)
    this.#housekeep(changes)
    const dns = new Set(changes.filter(change => !this.model.isLog(change.className)).map(change => change.dn))
    return [...dns].map(dn => this.tree.get(dn)).filter(mo => mo !== undefined)
  }

  /** Deletes the object at a DN with everything below. Nothing there is no error. */
  remove(dn: string, author: Author = NOBODY): void {
    const changes: Change[] = []
    this.#delete(dn, changes, author, this.#nextTxId())
    this.#tell(changes)
  }

  /** Appends a record to its log and pushes it. What is missing in `attributes` is filled in. Gives its DN. */
  record(className: string, attributes: Attributes): string {
    const changes: Change[] = []
    const dn = this.#record(className, attributes, changes)
    this.#tell(changes)
    return dn
  }

  /** Many eventRecords in one go: the fast way for load. `make` gives what shall differ from the defaults. */
  burst(from: number, to: number, make: (index: number) => Attributes): void {
    const changes: Change[] = []
    for (let index = from; index < to; index++) this.#record('eventRecord', make(index), changes)
    this.#tell(changes)
  }

  /** Writes the session log. */
  recordSession(happening: Omit<SessionHappening, 'stamp'>): void {
    if (!this.knobs.sessionRecordFlags.has(happening.action)) return
    this.record('aaaSessionLR', sessionRecord({ ...happening, stamp: this.stamp() }))
  }

  /** Shows an account of the controllers as an object, as if it had been there from the first day. */
  addUser(name: string, names: Attributes): void {
    const dn = `uni/userext/user-${name}`
    if (this.tree.get(dn) !== undefined) return
    const attributes = {
      childAction: '',
      ...this.model.defaults('aaaUser'),
      ...names,
      dn,
      name,
      pwdSet: 'yes',
      status: '',
    }
    this.tree.add('aaaUser', dn, sorted({ ...attributes, modTs: this.stamp() }))
  }

  /** The names of the tags on an object. */
  tagsOf(dn: string): string[] {
    return [...this.tree.children(dn)].filter(mo => mo.className === 'tagInst').map(mo => mo.attributes['name'] ?? '')
  }

  /** Adds and removes tags of one object. Throws `ApicError` when it isn't there. */
  tag(dn: string, add: readonly string[], remove: readonly string[], author: Author = NOBODY): void {
    if (this.tree.get(dn) === undefined)
      throw new ApicError(400, '102', `configured object ((Dn0)) not found Dn0=${dn}, `)
    for (const name of add) {
      this.post(dn, { className: 'tagInst', attributes: { name }, children: [] }, author)
    }
    for (const name of remove) this.remove(joinDn(dn, `tag-${name}`), author)
  }

  /** Removes a tag from everything. */
  untag(name: string, author: Author = NOBODY): void {
    for (const mo of [...this.tree.ofClass('tagInst')]) if (mo.attributes['name'] === name) this.remove(mo.dn, author)
  }

  /** Monotonic ms at which the object of a DN came to be; undefined for what was there from the start. */
  bornAt(dn: string): number | undefined {
    return this.#born.get(dn)
  }

  /** A switch reboots: its `topSystem` says so, and subscriptions made before get nothing of it any more, silently. */
  rebootLeaf(node: string): void {
    if (!this.knobs.rebootPushed) this.#announcer.deafen(node)
    const attributes = { lastRebootTime: this.stamp() }
    this.post(`${node}/sys`, { className: 'topSystem', attributes, children: [] })
    if (this.knobs.rebootPushed) this.#announcer.deafen(node)
  }

  /**
   * A new switch registers; gives its DN. Its fabricNode is told, as the controllers make it; of what the switch itself
   * reports, subscriptions made before get nothing (reference/apic.md a7).
   */
  joinLeaf(id: string, name = `leaf-${id}`): string {
    const node = `topology/pod-1/node-${id}`
    this.#announcer.deafen(node)
    const changes: Change[] = []
    for (const { className, dn, attributes } of leafObjects(id, name, this.stamp(), this.version)) {
      if (this.tree.get(dn) === undefined) this.#added(this.tree.add(className, dn, sorted(attributes)), changes)
    }
    this.#tell(changes)
    return node
  }

  /** Stops what waits for its time. */
  close(): void {
    this.#announcer.close()
  }

  #nextTxId(): string {
    this.#txId += 1n
    return String(this.#txId)
  }

  #tell(changes: readonly Change[]): void {
    this.#announcer.tell(changes, this.knobs.recordsPushedAfterMs)
  }

  #upsert(step: Step, changes: Change[], author: Author, txId: string): void {
    const { className, dn } = step
    const before = this.tree.get(dn)
    const isFault = className === 'faultInst' || className === 'faultDelegate'
    const given = { ...step.given }
    if (className === 'aaaUser') hidePassword(given, this.passwords)
    if (before === undefined) {
      const rn = dn.slice(parentOf(dn).length).replace(/^\//, '')
      const attributes = isFault
        ? { ...raisedFault(className, given, rn, this.stamp()), dn }
        : { childAction: '', ...this.model.defaults(className), ...given, dn, modTs: this.stamp(), status: '' }
      this.#added(this.tree.add(className, dn, sorted(attributes)), changes)
      this.#follow({ ind: 'creation', className, dn, before: {}, changed: given, author, txId }, changes)
      return
    }
    const changed = isFault ? changedFault(before.attributes, given, this.stamp()) : {}
    if (!isFault) {
      for (const [property, value] of Object.entries(given)) {
        if (before.attributes[property] !== value) changed[property] = value
      }
    }
    if (Object.keys(changed).length === 0) return
    const old = { ...before.attributes }
    const kept: Attributes = isFault ? {} : { modTs: this.stamp() }
    Object.assign(before.attributes, changed, kept)
    changes.push(this.#changeOf('modified', before, { ...changed, ...kept }))
    this.#follow({ ind: 'modification', className, dn, before: old, changed, author, txId }, changes)
  }

  #delete(dn: string, changes: Change[], author: Author, txId: string): void {
    const going = [...this.tree.subtree(dn)].map(mo => this.#changeOf('deleted', mo, {}))
    this.tree.remove(dn)
    for (const change of going) {
      if (change.className === 'aaaUser') this.passwords.delete(change.whole['name'] ?? '')
      changes.push(change)
      const { className, dn: gone, whole } = change
      this.#born.delete(gone)
      this.#follow({ ind: 'deletion', className, dn: gone, before: whole, changed: {}, author, txId }, changes)
    }
  }

  #added(mo: Mo, changes: Change[]): void {
    this.#born.set(mo.dn, this.time.now())
    changes.push(this.#changeOf('created', mo, { ...mo.attributes }))
  }

  #changeOf(kind: Change['kind'], mo: Mo, attributes: Attributes): Change {
    const { className, dn } = mo
    const above: Mo[] = []
    for (let parent = parentOf(dn); parent !== ''; parent = parentOf(parent)) {
      const found = this.tree.get(parent)
      if (found !== undefined) above.push(found)
    }
    return { kind, className, dn, attributes, whole: { ...mo.attributes }, tags: this.tagsOf(dn), above }
  }

  /** The records that a change leaves: audit for policy, fault records for faults, health records for scores. */
  #follow(fact: Omit<Fact, 'whole' | 'stamp'>, changes: Change[]): void {
    const { auditCopies, faultRecordDelayMs } = this.knobs
    const whole = { ...(this.tree.get(fact.dn)?.attributes ?? fact.before) }
    const records = (): { className: string; attributes: Attributes }[] =>
      recordsOf({ ...fact, whole, stamp: this.stamp() }, this.knobs)
    if (fact.className === 'faultInst' && faultRecordDelayMs > 0) {
      this.#announcer.after(faultRecordDelayMs, () => {
        for (const { className, attributes } of records()) this.record(className, attributes)
      })
      return
    }
    for (const { className, attributes } of records()) {
      const copies = className === 'aaaModLR' ? auditCopies : 1
      for (let copy = 0; copy < copies; copy++) this.#record(className, { ...attributes }, changes)
    }
  }

  #housekeep(changes: readonly Change[]): void {
    if (!this.knobs.housekeeping) return
    const later: Change[] = []
    for (const change of changes) {
      const mo = this.tree.get(change.dn)
      if (change.kind !== 'created' || mo === undefined || !HOUSEKEPT.has(change.className)) continue
      const set = { modTs: this.stamp(), pcTag: String(++this.#lastTag) }
      Object.assign(mo.attributes, set)
      later.push(this.#changeOf('modified', mo, set))
    }
    this.#tell(later)
  }

  #postRecord(base: string, body: MoBody): Mo {
    const posted = body.attributes['dn'] ?? base
    const match = /^subj-\[(.+)\](?:\/[a-z]+-(\d+))?$/.exec(posted)
    const { dn: _dn, rn: _rn, status: _status, ...rest } = body.attributes
    const attributes: Attributes = { ...rest }
    if (match !== null) attributes['affected'] ??= match[1] ?? ''
    else if (base !== '' && body.attributes['dn'] === undefined) attributes['affected'] ??= base
    if (match?.[2] !== undefined) attributes['id'] ??= match[2]
    const dn = this.record(body.className, attributes)
    return { className: body.className, dn, rn: '', attributes: { ...attributes, dn } }
  }

  #record(className: string, given: Attributes, changes: Change[]): string {
    const { dn, attributes } = newRecord(className, given, () => String(++this.#lastId), this.stamp())
    const purged = this.logs.add(className, dn, attributes, this.time.now() + this.knobs.recordsVisibleAfterMs)
    const none = { tags: [], above: [] }
    changes.push({ kind: 'created', className, dn, attributes, whole: attributes, ...none })
    if (this.knobs.announcePurge) {
      for (const old of purged) {
        changes.push({ kind: 'deleted', className, dn: old.dn, attributes: {}, whole: old.attributes, ...none })
      }
    }
    return dn
  }
}

function sorted(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)))
}
