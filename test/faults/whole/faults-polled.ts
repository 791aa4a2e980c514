/** What RaaS and Cloud Director do to those who poll them. */
import type { RaasFault } from '../../../src/simulators/raas/knobs.ts'
import type { Fault } from '../../../src/simulators/vcd/world.ts'
import { Dice } from './dice.ts'
import { type Detail, type FaultKind, numberOf } from './kinds.ts'

/** Which calls fail: a share of them, by chances of its own so that how many there are changes nothing else. */
const share = (dice: Dice): Detail => ({ share: dice.pick([0.3, 0.7, 1]), chance: dice.whole(0, 1e6) })

function chosen(detail: Detail): () => boolean {
  const dice = new Dice(numberOf(detail, 'chance'))
  return () => dice.of(numberOf(detail, 'share'))
}

function raas(name: string, fault: RaasFault): FaultKind {
  return {
    name: `raas: ${name}`,
    group: 'raas calls',
    lastsMs: 7000,
    draw: share,
    strike: ({ systems }, detail) => {
      const isChosen = chosen(detail)
      systems.raas.knobs.fault = () => (isChosen() ? fault : undefined)
      return () => {
        systems.raas.knobs.fault = undefined
      }
    },
  }
}

function vcd(name: string, fault: Fault): FaultKind {
  return {
    name: `vcd: ${name}`,
    group: 'vcd calls',
    lastsMs: 7000,
    draw: share,
    strike: ({ systems }, detail) => {
      const isChosen = chosen(detail)
      systems.vcd.knobs.fail = () => (isChosen() ? fault : undefined)
      return () => {
        systems.vcd.knobs.fail = undefined
      }
    },
  }
}

export const POLLED_FAULTS: readonly FaultKind[] = [
  raas('pages for answers', { kind: 'status', status: 503, html: true }),
  raas('throttled', { kind: 'status', status: 429, retryAfter: 2 }),
  raas('errors', { kind: 'status', status: 500 }),
  raas('calls reset', { kind: 'reset' }),
  raas('calls hang', { kind: 'hang' }),
  { name: 'raas: tokens revoked', group: 'raas tokens', strike: ({ systems }) => systems.raas.revokeTokens() },
  { name: 'raas: xsrf forgotten', group: 'raas xsrf', strike: ({ systems }) => systems.raas.forgetXsrf() },
  { name: 'raas: connections cut', group: 'raas cut', strike: ({ systems }) => systems.raas.cut() },
  {
    name: 'raas: rows late',
    group: 'raas late',
    lastsMs: 8000,
    draw: dice => ({ mostMs: dice.whole(500, 6000), chance: dice.whole(0, 1e6) }),
    strike: ({ systems }, detail) => {
      const dice = new Dice(numberOf(detail, 'chance'))
      systems.raas.knobs.commitDelayMs = () => dice.whole(0, numberOf(detail, 'mostMs'))
      return () => {
        systems.raas.knobs.commitDelayMs = () => 0
      }
    },
  },
  vcd('pages for answers', { kind: 'html', status: 503 }),
  vcd('pages with status 200', { kind: 'html', status: 200 }),
  vcd('throttled', { kind: 'status', status: 429, retryAfterS: 2 }),
  vcd('errors', { kind: 'status', status: 500 }),
  vcd('calls reset', { kind: 'reset' }),
  vcd('answers lost', { kind: 'lost' }),
  vcd('calls hang', { kind: 'hang' }),
  { name: 'vcd: sessions ended', group: 'vcd sessions', strike: ({ systems }) => systems.vcd.endSessions() },
  {
    name: 'vcd: rows late',
    group: 'vcd late',
    lastsMs: 8000,
    draw: dice => ({ mostMs: dice.whole(500, 8000), chance: dice.whole(0, 1e6) }),
    strike: ({ systems }, detail) => {
      const dice = new Dice(numberOf(detail, 'chance'))
      systems.vcd.knobs.latenessMs = () => dice.whole(0, numberOf(detail, 'mostMs'))
      return () => {
        systems.vcd.knobs.latenessMs = () => 0
      }
    },
  },
]
