/** What happens on a believable fabric, as a list of the guide's own calls. Pure but for the dice. */

/** One call: `path` starts after `/api/`. */
export interface Step {
  readonly method: 'POST' | 'DELETE'
  readonly path: string
  readonly body?: object
  /** One line for people. */
  readonly what: string
}

/** Uniform in [0, 1). */
export type Dice = () => number

function pick<T extends object | string>(dice: Dice, list: readonly T[]): T {
  const found = list[Math.floor(dice() * list.length)]
  if (found === undefined) throw new Error('nothing to pick from')
  return found
}

const PORTS = ['eth1/1', 'eth1/7'] as const
const NODES = ['101', '102'] as const

const FAULTS = [
  { code: 'F1394', cause: 'interface-physical-down', severity: 'minor', worse: 'major', descr: 'Port is down' },
  { code: 'F0475', cause: 'interface-vpc-down', severity: 'warning', worse: 'minor', descr: 'VPC interface is down' },
  { code: 'F1296', cause: 'interface-errors', severity: 'major', worse: 'critical', descr: 'CRC errors above limit' },
] as const

/** One fault from soaking to gone: raised, made worse, clearing, cleared, deleted. */
export function* faultStory(dice: Dice): Generator<Step> {
  const port = `topology/pod-1/node-${pick(dice, NODES)}/sys/phys-[${pick(dice, PORTS)}]/phys`
  const fault = pick(dice, FAULTS)
  const path = `mo/${port}/fault-${fault.code}.json`
  const post = (what: string, attributes: Record<string, string>): Step => ({
    method: 'POST',
    path,
    body: { faultInst: { attributes } },
    what: `fault ${fault.code} ${what}`,
  })
  const { code, cause, severity, descr } = fault
  const fixed = { domain: 'infra', rule: 'ethpm-if-port-down', subject: 'port-down', type: 'operational' }
  yield post('soaking', { code, cause, severity, descr, lc: 'soaking', ...fixed })
  yield post('raised', { lc: 'raised' })
  yield post('worse', { severity: fault.worse })
  yield post('clearing', { lc: 'raised-clearing' })
  yield post('cleared', { severity: 'cleared', lc: 'retaining' })
  yield { method: 'DELETE', path, what: `fault ${fault.code} gone` }
}

const NAMES = ['blue', 'green', 'amber', 'violet', 'copper'] as const

/** One tenant from its creation to its end, edited in between. `round` keeps names apart. */
export function* tenantStory(dice: Dice, round: number): Generator<Step> {
  const name = `${pick(dice, NAMES)}-${round}`
  const tenant = `uni/tn-${name}`
  const post = (what: string, path: string, body: object): Step => ({
    method: 'POST',
    path: `${path}.json`,
    body,
    what,
  })
  yield post(`tenant ${name} created`, 'mo/uni', {
    fvTenant: {
      attributes: { name, descr: 'made by the demo' },
      children: [
        { fvCtx: { attributes: { name: 'main' } } },
        { fvAp: { attributes: { name: 'shop' }, children: [{ fvAEPg: { attributes: { name: 'web' } } }] } },
      ],
    },
  })
  yield post(`tenant ${name} described`, `mo/${tenant}`, { fvTenant: { attributes: { descr: `owner: team ${name}` } } })
  yield post(`bridge domain in ${name}`, `mo/${tenant}/BD-front`, {
    fvBD: { attributes: { name: 'front' }, children: [{ fvSubnet: { attributes: { ip: '10.1.0.1/24' } } }] },
  })
  yield post(`application profile of ${name} edited`, `mo/${tenant}/ap-shop`, {
    fvAp: { attributes: { prio: 'level1', descr: 'checkout' } },
  })
  yield { method: 'POST', path: `tag/mo/${tenant}.json?add=demo`, what: `tenant ${name} tagged` }
  yield { method: 'DELETE', path: `mo/${tenant}/ap-shop/epg-web.json`, what: `EPG web of ${name} deleted` }
  yield { method: 'DELETE', path: `mo/${tenant}.json`, what: `tenant ${name} deleted` }
}

/** What the fabric says of itself, without end: events, ports, health. */
export function* fabricStory(dice: Dice): Generator<Step> {
  for (;;) {
    const port = `topology/pod-1/node-${pick(dice, NODES)}/sys/phys-[${pick(dice, PORTS)}]/phys`
    for (const [operSt, old] of [
      ['down', 'up'],
      ['up', 'down'],
    ] as const) {
      yield {
        method: 'POST',
        path: 'mo.json',
        body: {
          eventRecord: {
            attributes: {
              affected: port,
              cause: `port-${operSt}`,
              changeSet: `operSt (Old: ${old}, New: ${operSt})`,
              code: operSt === 'up' ? 'E4205126' : 'E4205125',
              descr: `Port is ${operSt}`,
              severity: operSt === 'up' ? 'info' : 'warning',
            },
          },
        },
        what: `event: port ${operSt}`,
      }
      yield {
        method: 'POST',
        path: `mo/${port}.json`,
        body: { ethpmPhysIf: { attributes: { operSt, operStQual: operSt === 'up' ? 'none' : 'link-failure' } } },
        what: `port ${operSt}`,
      }
    }
    const cur = String(60 + Math.floor(dice() * 40))
    yield {
      method: 'POST',
      path: 'mo/topology/health.json',
      body: { healthInst: { attributes: { cur, twScore: cur, chng: '-1' } } },
      what: `fabric health ${cur}`,
    }
  }
}
