/** What happens to the nats-server, to the stream, to the daemon's process and to its disk. */
import { spawnSync } from 'node:child_process'
import { type FaultKind, numberOf } from './kinds.ts'
import type { World } from './world.ts'

const BROKER = 'nats-server'
const DAEMON = 'daemon'

function signal(world: World, name: NodeJS.Signals): void {
  const { pid } = world.broker.server
  if (pid !== undefined) process.kill(pid, name)
}

const NATS_FAULTS: readonly FaultKind[] = [
  {
    name: 'nats: killed',
    group: BROKER,
    weight: 3,
    lastsMs: 8000,
    strike: async world => {
      await world.broker.server.kill()
      return () => world.broker.server.restart()
    },
  },
  {
    name: 'nats: stopped',
    group: BROKER,
    lastsMs: 8000,
    strike: async world => {
      await world.broker.server.stop()
      return () => world.broker.server.restart()
    },
  },
  {
    name: 'nats: frozen',
    group: BROKER,
    weight: 2,
    lastsMs: 9000,
    strike: world => {
      signal(world, 'SIGSTOP')
      return () => signal(world, 'SIGCONT')
    },
  },
  { name: 'nats: stream full', group: BROKER, weight: 2, lastsMs: 7000, strike: world => world.broker.fill() },
  { name: 'nats: other subjects', group: BROKER, lastsMs: 7000, strike: world => world.broker.misdirect() },
  { name: 'nats: may not publish', group: BROKER, weight: 2, lastsMs: 7000, strike: world => world.broker.forbid() },
  // Restored from a copy that is some seconds old.
  { name: 'nats: set back', group: BROKER, lastsMs: 6000, strike: world => world.broker.copied() },
  { name: 'nats: stream deleted', group: BROKER, strike: world => world.broker.deleteStream() },
]

const DAEMON_FAULTS: readonly FaultKind[] = [
  {
    name: 'daemon: killed',
    group: DAEMON,
    weight: 5,
    lastsMs: 6000,
    strike: async ({ unit }) => {
      await unit.kill()
      return () => unit.up()
    },
  },
  {
    name: 'daemon: killed again and again',
    group: DAEMON,
    weight: 2,
    lastsMs: 1000,
    draw: dice => ({ times: dice.whole(2, 4) }),
    strike: async ({ unit }, detail) => {
      for (let times = numberOf(detail, 'times'); times > 1; times--) {
        await unit.kill()
        await unit.up()
      }
      await unit.kill()
      return () => unit.up()
    },
  },
  {
    name: 'daemon: restarted',
    group: DAEMON,
    weight: 3,
    lastsMs: 4000,
    strike: async ({ unit }) => {
      await unit.stop()
      return () => unit.up()
    },
  },
  {
    name: 'daemon: frozen',
    group: DAEMON,
    weight: 3,
    lastsMs: 8000,
    strike: ({ unit }) => {
      unit.pause()
      return () => unit.resume()
    },
  },
  { name: 'daemon: another config', group: DAEMON, weight: 3, strike: world => world.reload() },
  {
    name: 'daemon: no more files',
    group: DAEMON,
    weight: 2,
    lastsMs: 6000,
    draw: dice => ({ more: dice.whole(0, 3) }),
    isPossible: () => process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0,
    strike: ({ unit }, detail) => {
      unit.limitFiles((unit.openFiles() ?? 0) + numberOf(detail, 'more'))
      return () => unit.limitFiles(1024)
    },
  },
  {
    name: 'disk: full',
    group: 'disk',
    weight: 4,
    lastsMs: 7000,
    isPossible: world => world.disk !== undefined,
    strike: world => {
      // A daemon that is started meanwhile can't open its store.
      world.unit.hardTimes++
      const empty = world.disk?.fill()
      return () => {
        empty?.()
        world.unit.hardTimes--
      }
    },
  },
]

export const PROCESS_FAULTS: readonly FaultKind[] = [...NATS_FAULTS, ...DAEMON_FAULTS]
