/** A copy of all that a nats-server has on disk, to be laid over what it has later. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunningNats } from '../../src/tools/nats-server.ts'

/** The server is stopped for the copy, and killed before `putBack` lays it back. `teardown` deletes the copy. */
export async function backUp(nats: RunningNats, teardown: (() => Promise<unknown>)[]): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'opswire-backup-'))
  teardown.push(() => rm(folder, { recursive: true, force: true }))
  await nats.stop()
  await cp(nats.storeDir, folder, { recursive: true })
  await nats.restart()
  return async () => {
    await nats.kill()
    await rm(nats.storeDir, { recursive: true })
    await cp(folder, nats.storeDir, { recursive: true })
    await nats.restart()
  }
}
