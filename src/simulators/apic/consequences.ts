/** What a change leaves in the logs. Pure. */
import { hash } from 'node:crypto'
import { type Author, changeSet, type Indication, modification } from './audit.ts'
import { isWithin, parentOf } from './dn.ts'
import type { FabricKnobs } from './fabric-knobs.ts'
import { eventDefaults, faultRecordOf } from './faults.ts'
import { type Attributes, LOG_RN } from './model.ts'

/** One change to one object, as the logs care about it. */
export interface Fact {
  readonly ind: Indication
  readonly className: string
  readonly dn: string
  readonly before: Attributes
  /** What was given (creation) or what changed. */
  readonly changed: Attributes
  /** The object after the change, or as it was when it is gone. */
  readonly whole: Attributes
  readonly author: Author
  readonly txId: string
  readonly stamp: string
}

/**
 * The records of a change: audit for policy, fault records for faults, health records for scores. No ids yet. A fault
 * that changed without a transition (its text, its count) leaves none.
 */
export function recordsOf(fact: Fact, knobs: FabricKnobs): { className: string; attributes: Attributes }[] {
  const { ind, className, dn, whole, stamp } = fact
  const affected = parentOf(dn)
  if (className === 'faultInst') {
    if (ind === 'modification' && fact.changed['lastTransition'] === undefined) return []
    const told = {
      affected: knobs.faultRecordAffected === 'fault' ? dn : affected,
      ind,
      stamp,
      fields: knobs.faultRecordFields,
    }
    return [{ className: 'faultRecord', attributes: faultRecordOf(whole, told) }]
  }
  if (className === 'healthInst') {
    const { cur = '', prev = '', maxSev = '', twScore = '', updTs = '' } = whole
    const score = { affected, code: 'E4201', cur, prev, maxSev, twScore, updTs, created: stamp, ind }
    return [{ className: 'healthRecord', attributes: { ...score, childAction: '', modTs: 'never', status: '' } }]
  }
  if (!isWithin(dn, 'uni') || className === 'faultDelegate') return []
  const name = whole['name'] ?? whole['ip'] ?? whole['tDn'] ?? dn
  const text = changeSet(ind, fact.before, fact.changed)
  const change = { className, dn, name, ind, changeSet: text, txId: fact.txId, stamp }
  return [{ className: 'aaaModLR', attributes: modification(change, fact.author) }]
}

/** A posted password goes to `passwords`; the object shows `encPwd` instead, as the guide's notification prints it. */
export function hidePassword(given: Attributes, passwords: Map<string, string>): void {
  const { name, pwd } = given
  if (name === undefined || pwd === undefined || pwd === '') return
  passwords.set(name, pwd)
  given['encPwd'] = `${hash('md5', name, 'base64').slice(0, 8)}$${hash('sha256', `${name}:${pwd}`, 'base64')}`
  given['pwdSet'] = 'yes'
  given['pwd'] = ''
}

/** A whole log record with its DN. `nextId` is asked when `given` has no id; `created` is `stamp` unless given. */
export function newRecord(
  className: string,
  given: Attributes,
  nextId: () => string,
  stamp: string,
): { dn: string; attributes: Attributes } {
  const affected = given['affected'] ?? 'topology'
  const id = given['id'] ?? nextId()
  const dn = `subj-[${affected}]/${LOG_RN[className]}-${id}`
  const base: Attributes = className === 'eventRecord' ? eventDefaults(affected, stamp) : { created: stamp }
  return { dn, attributes: { ...base, ...given, affected, dn, id } }
}
