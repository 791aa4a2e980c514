/** A source and, beside it, a reader as they are often written: what the failures are played to. */
import { ret } from './bus.ts'
import { Naive } from './naive.ts'
import { makeRig, type Rig, type RigOptions } from './rig.ts'

export const JID = '20260203040506000001'

/** The reader has logged in; the source is not started. */
export async function makeBeside(options: RigOptions = {}): Promise<{ readonly rig: Rig; readonly naive: Naive }> {
  const rig = await makeRig(options)
  const naive = new Naive(rig)
  await naive.login()
  return { rig, naive }
}

/** The minions whose returns were told, in order. */
export function minionsOf(rig: Rig): string[] {
  return rig.keeper.of('raas.return').map(fact => fact.data.return?.minion ?? '')
}

/** These minions return to a job that nobody knows, in one transaction. */
export function pushTo(rig: Rig, minions: readonly string[]): void {
  rig.sim.push(
    'master1',
    minions.map(minion => ret(JID, minion, true)),
  )
}
