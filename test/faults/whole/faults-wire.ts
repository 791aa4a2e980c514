/** What can happen to connections, on each of the wires. */
import type { Wire } from '../../support/wire.ts'
import { type Detail, type FaultKind, numberOf } from './kinds.ts'
import type { World } from './world.ts'

type Target = 'apic' | 'raas' | 'vcd' | 'nats'

function wiresOf({ systems, broker }: World, target: Target): readonly Wire[] {
  return target === 'nats' ? [broker.wire] : [systems.wires[target]].flat()
}

interface WireFault {
  readonly name: string
  readonly lastsMs?: number
  readonly draw?: FaultKind['draw']
  readonly on: (wire: Wire, detail: Detail) => unknown
  readonly off?: (wire: Wire) => unknown
}

const FAULTS: readonly WireFault[] = [
  { name: 'cut', on: wire => wire.cut() },
  { name: 'half-open', on: wire => wire.silence() },
  {
    name: 'reset in mid-frame',
    draw: dice => ({ bytes: dice.whole(1, 4000) }),
    on: (wire, detail) => wire.resetAfter(numberOf(detail, 'bytes')),
  },
  {
    name: 'dark',
    lastsMs: 9000,
    on: wire => {
      wire.dark = true
      wire.silence()
    },
    off: wire => {
      wire.dark = false
      wire.cut()
    },
  },
  { name: 'held', lastsMs: 9000, on: wire => wire.hold(), off: wire => wire.release() },
  { name: 'refused', lastsMs: 9000, on: wire => wire.refuse(), off: wire => wire.allow() },
  {
    name: 'answers lost',
    lastsMs: 5000,
    on: wire => {
      wire.deaf = true
    },
    // What was swallowed leaves a hole in the stream of bytes: such a connection can only be broken.
    off: wire => {
      wire.deaf = false
      wire.cut()
    },
  },
  {
    name: 'trickle',
    lastsMs: 6000,
    draw: dice => ({ bytesPerSecond: dice.pick([500, 4000, 20_000]) }),
    on: (wire, detail) => {
      wire.bytesPerSecond = numberOf(detail, 'bytesPerSecond')
    },
    off: wire => {
      wire.bytesPerSecond = Number.POSITIVE_INFINITY
    },
  },
  {
    name: 'late',
    lastsMs: 6000,
    draw: dice => ({ delayMs: dice.pick([30, 150, 700]) }),
    on: (wire, detail) => {
      wire.delayMs = numberOf(detail, 'delayMs')
    },
    off: wire => {
      wire.delayMs = 0
    },
  },
]

function kindsOf(target: Target): FaultKind[] {
  return FAULTS.map(({ name, on, off, lastsMs, draw }) => ({
    name: `${target} wire: ${name}`,
    group: `${target} wire`,
    ...(lastsMs === undefined ? {} : { lastsMs }),
    ...(draw === undefined ? {} : { draw }),
    strike: async (world, detail) => {
      for (const wire of wiresOf(world, target)) await on(wire, detail)
      return async () => {
        for (const wire of wiresOf(world, target)) await off?.(wire)
      }
    },
  }))
}

export const WIRE_FAULTS: readonly FaultKind[] = (['apic', 'raas', 'vcd', 'nats'] as const).flatMap(kindsOf)
