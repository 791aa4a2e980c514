/** What a test can turn on a fabric; all its controllers show it. Letters: how sure reference/apic.md is. */

export type SessionAction = 'login' | 'refresh' | 'logout'

export interface FabricKnobs {
  /** How many aaaModLR each change leaves: one for each controller, with other ids and DNs (b23; B). */
  auditCopies: number
  /** Log records show up in queries this much later than they were created (b2: shards, controllers apart; B). */
  recordsVisibleAfterMs: number
  /** Log records are pushed this much later than they were created (C). */
  recordsPushedAfterMs: number
  /**
   * A faultRecord is written this much later than the fault's transition, so that its `created` is later than
   * `lastTransition`: two processes, two stamps (C).
   */
  faultRecordDelayMs: number
  /** What `affected` of a faultRecord names: the object that has the fault, or the fault's own DN (d1; B, no capture). */
  faultRecordAffected: 'object' | 'fault'
  /**
   * `whole`: a faultRecord has every property of the fault (d1: "the fault fields"; B, no capture). `lean`: without
   * lastTransition, title, alert and the like, so that the transition's time stands in `created` alone (C).
   */
  faultRecordFields: 'whole' | 'lean'
  /** What of sessions goes into aaaSessionLR: the model's sessionRecordFlags (b22; B). */
  sessionRecordFlags: ReadonlySet<SessionAction>
  /** A `modified` frame with what the fabric sets by itself (pcTag …) follows the creation of EPGs, BDs, VRFs (a8; B). */
  housekeeping: boolean
  /** Records that a full log purges are pushed as `deleted` (a8; C). */
  announcePurge: boolean
  /**
   * Subscriptions made before a reboot are told of the new `lastRebootTime` of that leaf. false: it is leaf-sourced like
   * the rest, and only a query shows it; CNO polls it (b16; B).
   */
  rebootPushed: boolean
}

export function defaultFabricKnobs(): FabricKnobs {
  return {
    auditCopies: 1,
    recordsVisibleAfterMs: 0,
    recordsPushedAfterMs: 0,
    faultRecordDelayMs: 0,
    faultRecordAffected: 'object',
    faultRecordFields: 'whole',
    sessionRecordFlags: new Set<SessionAction>(['login', 'refresh', 'logout']),
    housekeeping: true,
    announcePurge: false,
    rebootPushed: false,
  }
}
