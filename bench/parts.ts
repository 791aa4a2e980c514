/** Each part of the daemon beside its bare loop, by turns in one process: where the whole way's time goes. */
import type { ContestRow } from './contest.ts'
import type { PartSays } from './messages.ts'
import type { Rig } from './rig.ts'
import { Partner } from './scratch.ts'

export interface PartsOptions {
  /** Events of one turn. */
  readonly events: number
  readonly rounds: number
  readonly objects: number
}

export async function parts(rig: Rig, { events, rounds, objects }: PartsOptions): Promise<readonly ContestRow[]> {
  const { scratch, fabric, certificateFile, broker, source } = rig
  await rig.prepare({ cls: 'eventRecord', count: events, objects })
  const args = [fabric, certificateFile, broker.url, ...[events, objects, rounds].map(String)]
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificateFile }
  const partner = new Partner<PartSays>(scratch, 'part.ts', args, { env, execArgv: ['--expose-gc'] })
  // Both sides of the socket's contest, in each round and in the one that is not counted.
  for (let turn = 0; turn < 2 * (rounds + 1); turn++) {
    await partner.next('subscribed')
    await rig.push()
    await source.next('pushed')
  }
  const { rows } = await partner.next('parts')
  await partner.end()
  return rows
}
