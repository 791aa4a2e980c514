/** What an APIC does to its clients: on all controllers of the world at once, or on the first. */
import { sleep, systemClock } from '../../../src/scheduler/clock.ts'
import type { ApicSimulator } from '../../../src/simulators/apic/controller.ts'
import type { Knobs } from '../../../src/simulators/apic/knobs.ts'
import type { Failure } from '../../../src/simulators/apic/mischief.ts'
import { type FaultKind, numberOf } from './kinds.ts'
import type { World } from './world.ts'

const LEAST_CUT_OFF_MS = 6500

function each(world: World, deed: (controller: ApicSimulator) => unknown): void {
  for (const controller of world.systems.controllers) deed(controller)
}

function kind(name: string, more: Omit<FaultKind, 'name' | 'group'>): FaultKind {
  return { name: `apic: ${name}`, group: `apic ${name}`, ...more }
}

/** Turns a knob for a while. */
function turned<K extends keyof Knobs>(name: string, knob: K, values: readonly (Knobs[K] & (number | string))[]) {
  return kind(name, {
    lastsMs: 6000,
    draw: dice => ({ [knob]: dice.pick(values) }),
    strike: (world, detail) => {
      const before = world.systems.controllers.map(one => one.knobs[knob])
      each(world, one => {
        one.knobs[knob] = detail[knob] as Knobs[K]
      })
      return () =>
        world.systems.controllers.forEach((one, index) => {
          one.knobs[knob] = before[index] as Knobs[K]
        })
    },
  })
}

const CALLS = ['login', 'refresh', 'subscribe', 'subscriptionRefresh', 'query', 'any'] as const

/** Calls of one kind fail in one way, for a while. */
function failing(name: string, failure: Failure): FaultKind {
  return kind(name, {
    lastsMs: 6000,
    draw: dice => ({ calls: dice.pick(CALLS) }),
    strike: (world, { calls }) => {
      const operation = CALLS.find(one => one === calls && one !== 'any')
      const rule = operation === undefined || operation === 'any' ? { failure } : { failure, operation }
      const wells = world.systems.controllers.map(one => one.fail(rule))
      return () => {
        for (const well of wells) well()
      }
    },
  })
}

export const APIC_FAULTS: readonly FaultKind[] = [
  kind('sessions ended', { weight: 2, strike: world => each(world, one => one.endSessions()) }),
  kind('sockets cut', { strike: world => each(world, one => one.cutSockets()) }),
  kind('sockets silent', { weight: 2, strike: world => each(world, one => one.silenceSockets()) }),
  kind('sockets forgotten', { weight: 2, strike: world => each(world, one => one.forgetSockets()) }),
  kind('subscriptions expired', {
    weight: 2,
    strike: world =>
      each(world, one => {
        for (const id of one.subscriptionIds) one.expireSubscription(id)
      }),
  }),
  kind('one subscription mute', {
    deafens: true,
    strike: world =>
      each(world, one => {
        const [id] = one.subscriptionIds
        if (id !== undefined) one.mute(id)
      }),
  }),
  kind('refreshes refused', {
    strike: world =>
      each(world, one => {
        for (const id of one.subscriptionIds) one.refuseRefresh(id)
      }),
  }),
  kind('nothing pushed', {
    deafens: true,
    lastsMs: 6000,
    strike: world => {
      each(world, one => one.mute())
      return () => each(world, one => one.unmute())
    },
  }),
  kind('new sockets refused', {
    lastsMs: 6000,
    strike: world => {
      each(world, one => {
        one.knobs.refuseSockets = 503
        one.cutSockets()
      })
      return () =>
        each(world, one => {
          one.knobs.refuseSockets = undefined
        })
    },
  }),
  kind('down', {
    lastsMs: 8000,
    strike: async world => {
      for (const one of world.systems.controllers) await one.goDown()
      return async () => {
        for (const one of world.systems.controllers) await one.comeUp()
      }
    },
  }),
  kind('first controller in the minority', {
    deafens: true,
    lastsMs: 8000,
    strike: world => {
      const [first] = world.systems.controllers
      const since = systemClock.now()
      // Its view of the cluster first: what it answers then stands still.
      world.systems.seenBy(1, [1])
      first?.loseQuorum()
      return async () => {
        // Shorter than from one look at the cluster to the next it can't be known (docs/SCHEDULES.md).
        await sleep(systemClock, Math.max(0, LEAST_CUT_OFF_MS - (systemClock.now() - since)))
        world.systems.seenBy(1, [1, 2, 3])
        first?.regainQuorum()
      }
    },
  }),
  kind('burst', {
    draw: dice => ({ records: dice.whole(50, 600) }),
    strike: (world, detail) => world.systems.controllers[0]?.burst(numberOf(detail, 'records')),
  }),
  turned('slow', 'latencyMs', [200, 900, 2500]),
  turned('throttled', 'requestsPerSecond', [1, 4]),
  turned('overloaded', 'maxParallel', [1, 2]),
  failing('pages for answers', { kind: 'html' }),
  failing('calls reset', { kind: 'reset' }),
  failing('answers reset', { kind: 'reset-after' }),
  failing('answers cut short', { kind: 'truncated' }),
  failing('calls hang', { kind: 'hang' }),
  failing('accepted only', { kind: 'accepted' }),
  failing('garbage', { kind: 'garbage', text: '<<<{"imdata":' }),
]
