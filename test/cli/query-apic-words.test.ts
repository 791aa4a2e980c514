/** What is typed for an APIC: the request that it becomes, or why it is refused. */
import { afterEach, describe, expect, it } from 'vitest'
import { dnsOf, QueryRig } from './query-rig.ts'

let rig: QueryRig
afterEach(() => rig.close())

describe('words and options', () => {
  const SAID: [string[], string][] = [
    [['class', 'fvTenant'], '/api/class/fvTenant.json?order-by=fvTenant.dn|asc&page=0&page-size=1000'],
    [['class', 'fv:Tenant', '--limit', '7'], '/api/class/fvTenant.json?order-by=fvTenant.dn|asc&page=0&page-size=7'],
    [
      ['class', 'topology/pod-1/node-101/ethpmPhysIf'],
      '/api/class/topology/pod-1/node-101/ethpmPhysIf.json?order-by=ethpmPhysIf.dn|asc&page=0&page-size=1000',
    ],
    [['mo', 'uni/tn-common'], '/api/mo/uni/tn-common.json'],
    [['mo', 'topology/pod-1/node-101/sys/phys-[eth1/7]'], '/api/mo/topology/pod-1/node-101/sys/phys-[eth1/7].json'],
    [['tag', 'production'], '/api/tag/production.json'],
    [['tag', 'mo/uni/tn-common'], '/api/tag/mo/uni/tn-common.json'],
    [
      [
        'mo',
        'uni',
        '--query-target',
        'subtree',
        '--target-subtree-class',
        'fvAEPg,fvBD',
        '--page',
        '0',
        '--page-size',
        '9',
      ],
      '/api/mo/uni.json?query-target=subtree&target-subtree-class=fvAEPg,fvBD&page=0&page-size=9',
    ],
    [
      [
        'class',
        'fvTenant',
        '--query-target-filter',
        'or(eq(fvTenant.name, "a b"), wcard(fvTenant.name,"c"))',
        '--page',
        '0',
        '--page-size',
        '9',
      ],
      '/api/class/fvTenant.json?query-target-filter=or(eq(fvTenant.name,%22a%20b%22),wcard(fvTenant.name,%22c%22))&page=0&page-size=9',
    ],
    [
      [
        'class',
        'fvTenant',
        '--rsp-subtree',
        'full',
        '--rsp-subtree-class',
        'fvBD,fvAp',
        '--page',
        '1',
        '--page-size',
        '3',
      ],
      '/api/class/fvTenant.json?rsp-subtree=full&rsp-subtree-class=fvBD,fvAp&page=1&page-size=3',
    ],
    [
      [
        'class',
        'fvTenant',
        '--rsp-subtree-include',
        'health,required',
        '--rsp-subtree-filter',
        'lt(healthInst.cur,"50")',
        '--page',
        '0',
        '--page-size',
        '9',
      ],
      '/api/class/fvTenant.json?rsp-subtree-include=health,required&rsp-subtree-filter=lt(healthInst.cur,%2250%22)&page=0&page-size=9',
    ],
    [
      ['class', 'aaaUser', '--order-by', 'aaaUser.lastName|desc', '--rsp-prop-include', 'naming-only'],
      '/api/class/aaaUser.json?rsp-prop-include=naming-only&order-by=aaaUser.lastName|desc&page=0&page-size=1000',
    ],
    [
      ['class', 'eventRecord', '--time-range', '24h'],
      '/api/class/eventRecord.json?time-range=24h&order-by=eventRecord.created|desc,eventRecord.dn|asc&page=0&page-size=1000',
    ],
    [
      [
        'class',
        'eventRecord',
        '--filter',
        'ge(eventRecord.created,"2026-02-03T04:05:06.789+09:00")',
        '--page',
        '0',
        '--page-size',
        '9',
      ],
      '/api/class/eventRecord.json?query-target-filter=ge(eventRecord.created,%222026-02-03T04:05:06.789%2B09:00%22)&page=0&page-size=9',
    ],
    [
      ['class', 'node/class/topology/pod-1/node-101/ethpmPhysIf', '--page', '0', '--page-size', '9'],
      '/api/node/class/topology/pod-1/node-101/ethpmPhysIf.json?page=0&page-size=9',
    ],
    [['class', 'fvTenant', '--page', '2'], '/api/class/fvTenant.json?page=2&page-size=1000'],
    [['mo', 'node/mo/uni/tn-common'], '/api/node/mo/uni/tn-common.json'],
    [['class', 'fvTenant', '--xml'], '/api/class/fvTenant.xml?order-by=fvTenant.dn|asc&page=0&page-size=1000'],
  ]

  it('become the one request that they mean', async () => {
    rig = await QueryRig.make({ apic: {} })
    for (const [argv, path] of SAID) {
      const { code, err } = await rig.ask('fabric-a', ...argv)
      expect([argv, code, err]).toEqual([argv, 0, ''])
      const asked = rig.apic.record.requests.filter(({ operation }) => operation === 'query').map(one => one.path)
      expect([argv, asked.at(-1)]).toEqual([argv, path])
    }
    expect(rig.apic.record.subscriptions).toEqual([])
    expect(rig.apic.record.sockets).toEqual([])
  })

  it('take the format of the source', async () => {
    rig = await QueryRig.make({ apic: {} })
    rig.configure({ apic: '    format: xml\n' })
    expect(dnsOf(await rig.json('fabric-a', 'mo', 'uni/tn-common'))).toEqual(['uni/tn-common'])
    expect(rig.apic.record.requests.some(({ path }) => path === '/api/mo/uni/tn-common.xml')).toBe(true)
  })

  it.each([
    [[], 'say what to ask: class, mo, tag, domains'],
    [['class'], 'say which class: class fvTenant'],
    [[''], 'say what to ask: class, mo, tag, domains'],
    [['fvTenant'], 'unknown "fvTenant"; did you mean class fvTenant?'],
    [['class', 'fvTenant', '--columns', ','], '--columns: names none'],
    [['clas', 'fvTenant'], 'unknown "clas"; did you mean class?'],
    [['class', 'fvTenant', 'x'], 'unexpected "x"'],
    [['class/fvTenant.json', 'x'], 'unexpected "x"'],
    [['class', 'FvTenant'], 'class: must be a class name without a colon, e.g. fvTenant, or one on a switch'],
    [['mo', 'uni/../fabric'], 'would be rewritten on its way'],
    [
      ['class', 'fvTenant', '--query-target', 'subtre'],
      '--query-target: must be one of self, children, subtree; got "subtre" (did you mean subtree?)',
    ],
    [
      ['class', 'fvTenant', '--target-subtree-class', 'fvBD'],
      '--target-subtree-class: needs --query-target: children or subtree',
    ],
    [['class', 'fvTenant', '--rsp-subtree-include', 'helth'], 'did you mean health?'],
    [['class', 'fvTenant', '--rsp-prop-include', 'config'], 'config-only'],
    [['class', 'fvTenant', '--order-by', 'fvTenant.name|down'], '--order-by: '],
    [['class', 'fvTenant', '--filter', 'eqq(fvTenant.name,"x")'], '--filter: no such operator: eqq; is eq meant?'],
    [['class', 'fvTenant', '--filter', 'eq(name,"x")'], '--filter: name must have its class before it: fvTenant.name'],
    [['class', 'fvTenant', '--filter', 'eq(fvBD.name,"x")'], 'a property of fvBD never matches fvTenant'],
    [
      ['class', 'fvTenant', '--filter', 'passive(fvTenant.name)'],
      '--filter: nobody documents what pholder and passive take',
    ],
    [['class', 'fvTenant', '--filter', 'true()', '--query-target-filter', 'true()'], '--filter is short for'],
    [['class', 'fvTenant', '--filter', 'eq(fvTenant.name,my tenant)'], '--filter: a blank in '],
    [['class', 'fvTenant', '--page', '-1'], '--page needs a value'],
    [['class', 'fvTenant', '--page=-1'], '--page: "-1" is not a whole number of at least 0'],
    [['class', 'fvTenant', '--page-size', '0'], '--page-size: "0" is not a whole number of at least 1'],
    [['class', 'fvTenant', '--limit', 'all'], '--limit: "all" is not a whole number'],
    [['class', 'fvTenant', '--query-taget', 'self'], 'unknown flag --query-taget; did you mean --query-target?'],
    [['class', 'fvTenant', '--subscription'], '--subscription: query asks once and makes no subscription'],
    [['class', 'fvTenant', '--subscription=yes'], '--subscription: query asks once and makes no subscription'],
    [['class', 'fvTenant', '--refresh-timeout', '60'], '--refresh-timeout: query asks once and makes no subscription'],
    [['class', 'fvTenant', '--url-token=x'], "--url-token: the session's own is sent; set challenge_token"],
    [['class', 'fvTenant', '--password', 'x'], '--password: everybody could read it among the processes'],
    [['class/fvTenant.json?rsp-subtre=full'], 'an APIC ignores "rsp-subtre" without a word: is rsp-subtree meant?'],
    [['domains', '--order-by', 'aaaUser.name'], '--order-by: aaaListDomains takes no options'],
    [['class', 'fvTenant', '--kwarg', 'a=b'], '--kwarg is for raas sources; fabric-a is apic'],
    [['class', 'fvTenant', '--since', '1h'], '--since is for vcd sources; fabric-a is apic'],
  ])('%j is refused offline', async (argv, message) => {
    rig = await QueryRig.make({})
    const { code, out, err } = await rig.ask('fabric-a', ...argv)
    expect([code, out]).toEqual([64, ''])
    expect(err).toContain(message)
    expect(err).toMatch(/^opswire query: .*\nopswire query --help tells more\.\n$/)
  })

  it('that the controller finds wrong are told in its words, with the class that may be meant', async () => {
    rig = await QueryRig.make({ apic: {} })
    const { code, out, err } = await rig.ask('fabric-a', 'class', 'fvTenat')
    expect([code, out]).toEqual([64, ''])
    expect(err).toBe(
      'opswire query: fabric-a: unknown managed object class fvTenat (HTTP 400, code 12); did you mean fvTenant?\n' +
        'opswire query --help tells more.\n',
    )
    // Nor do its words drive a terminal.
    const failure = {
      kind: 'error',
      status: 400,
      code: '107',
      text: 'bad\u001b[2J\u202e filter\nopswire: fine',
    } as const
    rig.apic.fail({ operation: 'query', failure })
    expect((await rig.ask('fabric-a', 'class', 'fvTenant')).err).toBe(
      'opswire query: fabric-a: bad [2J  filter opswire: fine (HTTP 400, code 107)\nopswire query --help tells more.\n',
    )
  })
})
