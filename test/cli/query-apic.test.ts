import { afterEach, describe, expect, it } from 'vitest'
import { fault } from '../support/apic-source.ts'
import { dnsOf, linesOf, QueryRig } from './query-rig.ts'

let rig: QueryRig
afterEach(() => rig.close())

/** The objects that the guide's examples speak of. */
async function guideFabric(): Promise<void> {
  rig = await QueryRig.make({ apic: {} })
  const { apic } = rig
  apic.post('uni', {
    fvTenant: {
      attributes: { name: 'ExampleCorp' },
      children: [
        {
          fvAp: {
            attributes: { name: 'shop' },
            children: [{ fvAEPg: { attributes: { name: 'web' } } }],
          },
        },
      ],
    },
  })
  apic.post('uni/tn-ExampleCorp/ap-shop/epg-web', fault('F0467', { severity: 'minor', descr: 'Bad path' }))
  apic.post('uni/tn-ExampleCorp', { healthInst: { attributes: { cur: '42' } } })
  const user = { name: 'georgewa', lastName: 'Washington', firstName: 'George', pwd: 'paSSword1' }
  apic.post('uni/userext', { aaaUser: { attributes: user } })
  for (const tag of ['tenants', 'orgs']) apic.post('uni/tn-ExampleCorp', { tagInst: { attributes: { name: tag } } })
}

const SERVICE = 'uni/userext/user-svc-opswire'
const GEORGE = 'uni/userext/user-georgewa'
const CORP = 'uni/tn-ExampleCorp'
const SENSOR = 'topology/pod-1/node-1/sys/ch/bslot/board/sensor-3'
const HOST = 'GET https://192.0.20.123/api'

/** Every GET that the guide prints and that is a question, as it prints it, line breaks included. */
const GUIDE: [string, string[]][] = [
  [`${HOST}/mo/topology/pod-1/node-1/sys/ch/bslot/board/sensor-3.json`, [SENSOR]],
  ['https://192.0.20.123/api/mo/uni/tn-ExampleCorp.xml', [CORP]],
  [`${HOST}/class/aaaUser.json`, [GEORGE, SERVICE]],
  [`${HOST}/class/aaaUser.json?url-token=fa47e44df54562c24fef6601dc...`, [GEORGE, SERVICE]],
  ['GET //api/class/aaaUser.json', [GEORGE, SERVICE]],
  [
    `${HOST}/class/firmwareIfcFwStatusCont.json?\n    query-target=subtree&target-subtree-class=firmwareIfcRunning`,
    ['ctrlrfwstatuscont/ifcrunning-1'],
  ],
  [`${HOST}/class/aaaUser.json?\n      query-target-filter=eq(aaaUser.lastName,"Washington")`, [GEORGE]],
  // No POST can set an encapsulation: a fabric picks it.
  [`${HOST}/class/fvAEPg.xml?\n    query-target-filter=eq(fvAEPg.fabEncap,"vxlan-12780288")`, []],
  [
    `${HOST}/class/fvTenant.json?\n    rsp-subtree-include=health,required\n        &\n        rsp-subtree-filter=lt(healthInst.cur,"50")`,
    [CORP],
  ],
  [
    `${HOST}/mo/uni/tn-ExampleCorp.xml?\n    query-target=subtree\n        &\n        target-subtree-class=fvAEPg\n            &\n            rsp-subtree-include=faults`,
    [`${CORP}/ap-shop/epg-web`],
  ],
  [
    `${HOST}/class/aaaDomain.json?\n    query-target-filter=\n        and(ne(aaaDomain.name,"infra"),\n            ne(aaaDomain.name,"common"))`,
    ['uni/userext/domain-all', 'uni/userext/domain-mgmt'],
  ],
  [`${HOST}/class/aaaUser.json?order-by=aaaUser.lastName|asc,aaaUser.firstName|asc`, [GEORGE, SERVICE]],
  [
    `${HOST}/class/faultInfo.json?order-by=faultInst.severity|desc&page=0&page-size=15`,
    [`${CORP}/ap-shop/epg-web/fault-F0467`],
  ],
  [`${HOST}/class/fvTenant.json`, [CORP, 'uni/tn-common', 'uni/tn-infra', 'uni/tn-mgmt']],
  [`${HOST}/tag/mo/uni/tn-ExampleCorp.xml`, [`${CORP}/tag-tenants`, `${CORP}/tag-orgs`]],
  [`${HOST}/tag/tenants.xml`, [CORP]],
  [
    'mo/uni/tn-ExampleCorp.json?query-target=subtree&rsp-subtree-include=fault,no-scoped',
    [`${CORP}/ap-shop/epg-web/fault-F0467`],
  ],
]

describe("the guide's own lines", () => {
  it('are answered, every GET that it prints', async () => {
    await guideFabric()
    for (const [line, dns] of GUIDE) {
      const found = dnsOf(await rig.json('fabric-a', line))
      expect([line, found.toSorted()]).toEqual([line, dns.toSorted()])
    }
    const paths = rig.apic.record.requests.map(({ path }) => path)
    // As the line says it: format and options.
    expect(paths).toContainEqual(expect.stringMatching(/^\/api\/tag\/tenants\.xml$/))
    expect(paths).toContain('/api/class/faultInfo.json?order-by=faultInst.severity|desc&page=0&page-size=15')
    expect(paths.join('\n')).not.toContain('fa47e44d')
  })

  it('are told when another host is asked, and when the session has its own token', async () => {
    await guideFabric()
    const { err } = await rig.ask('fabric-a', `${HOST}/class/aaaUser.json?url-token=fa47e44df545`)
    expect(err).toBe(
      'note: asked of the controllers in the config, not of 192.0.20.123\n' +
        "note: url-token is left out: the session's own is sent where the source has challenge_token\n",
    )
    const pasted = 'https://admin:marker-pasted@192.0.20.123/api/class/aaaUser.json'
    expect((await rig.ask('fabric-a', pasted)).err).toBe(
      'note: asked of the controllers in the config, not of 192.0.20.123\n',
    )
    expect((await rig.ask('fabric-a', `${rig.apic.url}/api/class/aaaUser.json`)).err).toBe('')
  })

  it('are told when something goes out in other words', async () => {
    await guideFabric()
    const line = 'mo/uni/tn-ExampleCorp.json?query-target=subtree&rsp-subtree-include=fault,no-scoped'
    const { err } = await rig.ask('fabric-a', line)
    expect(err).toBe(
      'note: rsp-subtree-include: fault is sent as faults: the guide prints both, and faults is the one that releases know\n',
    )
  })

  it('work with the challenge token of the guide, by header and in the URL', async () => {
    await guideFabric()
    for (const way of ['header', 'url']) {
      rig.configure({ apic: `    challenge_token: ${way}\n` })
      const found = await rig.json('fabric-a', 'GET //api/class/aaaUser.json')
      expect(dnsOf(found)).toContain(GEORGE)
      expect(rig.apic.record.requests.at(-1)).toMatchObject({ operation: 'logout', status: 200 })
    }
  })

  it.each([
    [`${HOST}/class/fvTenant.json?subscription=yes`, 'subscription: query asks once and makes no subscription'],
    [`${HOST}/class/faultInst.json?subscription=yes&refresh-timeout=600`, 'subscription: query asks once'],
    [`${HOST}/subscriptionRefresh.json?id=72057611234574337`, 'id: subscriptions are refreshed by opswire itself'],
    [`${HOST}/aaaRefresh.json`, "aaaRefresh is the session's business: opswire calls it by itself"],
    [
      'POST https://192.0.20.123/api/tag/mo/uni/tn-ExampleCorp.xml?add=tenants',
      'POST changes something: opswire only asks',
    ],
    ['DELETE https://192.0.20.123/api/tag/orgs.xml', 'DELETE changes something: opswire only asks'],
  ])('%s is no question', async (line, why) => {
    rig = await QueryRig.make({ apic: {} })
    const { code, out, err } = await rig.ask('fabric-a', line)
    expect([code, out]).toEqual([64, ''])
    expect(err).toContain(why)
    expect(rig.apic.record.requests).toEqual([])
  })

  it('login domains are asked for without a login', async () => {
    rig = await QueryRig.make({
      apic: { domains: [{ name: 'ExampleRadius' }, { name: 'local', guiBanner: 'San Jose' }] },
    })
    for (const what of ['domains', 'aaaListDomains', `${HOST}/aaaListDomains.json`]) {
      const { code, out } = await rig.ask('fabric-a', what)
      expect([code, out]).toEqual([0, 'name           guiBanner\nExampleRadius\nlocal          San Jose\n2 objects\n'])
    }
    const flat = [{ name: 'ExampleRadius' }, { name: 'local', guiBanner: 'San Jose' }]
    expect(await rig.json('fabric-a', 'domains')).toEqual(flat)
    expect(await rig.json('fabric-a', 'domains', '--xml')).toEqual(flat)
    expect((await rig.ask('fabric-a', 'domains', '--limit', '1')).out).toBe('name\nExampleRadius\n1 of 2 objects\n')
    expect((await rig.ask('fabric-a', 'domains', '--count')).out).toBe('2\n')
    expect(rig.apic.record.logins).toEqual([])
  })
})

it('a count is the number that the controller counted, not of the one object that tells it', async () => {
  rig = await QueryRig.make({ apic: {} })
  rig.tenants(2)
  const count = async (...include: string[]) =>
    (await rig.ask('fabric-a', 'class', 'fvTenant', '--rsp-subtree-include', include.join(','), '--count')).out
  expect(await count('count')).toBe('5\n')
  // Only the fabric's own tenants have a health score.
  expect(await count('health', 'count')).toBe('3\n')
  rig.apic.post('uni/tn-t0', { fvBD: { attributes: { name: 'front' } } })
  const bridged = ['--rsp-subtree', 'children', '--rsp-subtree-class', 'fvBD', '--rsp-subtree-include', 'required']
  expect(dnsOf(await rig.json('fabric-a', 'class', 'fvTenant', ...bridged))).toEqual(['uni/tn-t0'])
  expect((await rig.ask('fabric-a', 'class', 'fvTenant', ...bridged, '--count')).out).toBe('1\n')
})

describe('the table', () => {
  it('shows what matters of a class, and what is sent along below', async () => {
    await guideFabric()
    const { out } = await rig.ask('fabric-a', 'class', 'fvTenant', '--rsp-subtree-include', 'health')
    expect(out).toBe(
      [
        'class         name         cur  dn',
        'fvTenant      ExampleCorp       uni/tn-ExampleCorp',
        '  healthInst               42   uni/tn-ExampleCorp/health',
        'fvTenant      common            uni/tn-common',
        '  healthInst               100  uni/tn-common/health',
        'fvTenant      infra             uni/tn-infra',
        '  healthInst               100  uni/tn-infra/health',
        'fvTenant      mgmt              uni/tn-mgmt',
        '  healthInst               100  uni/tn-mgmt/health',
        '4 objects',
        '',
      ].join('\n'),
    )
    const users = await rig.ask('fabric-a', 'class', 'aaaUser', '--columns', 'name,lastName')
    expect(users.out).toBe('name         lastName\ngeorgewa     Washington\nsvc-opswire  Wire\n2 objects\n')
    const wrong = await rig.ask('fabric-a', 'class', 'aaaUser', '--columns', 'nme')
    expect([wrong.code, wrong.err]).toEqual([64, expect.stringContaining('no "nme" in these rows; did you mean name?')])
  })

  it('names the class of each row where several may come', async () => {
    await guideFabric()
    const subtree = ['--query-target', 'subtree', '--target-subtree-class', 'fvAEPg,fvTenant']
    expect((await rig.ask('fabric-a', 'mo', CORP, ...subtree)).out).toBe(
      `class     name         dn\nfvTenant  ExampleCorp  ${CORP}\nfvAEPg    web          ${CORP}/ap-shop/epg-web\n2 objects\n`,
    )
  })

  it('fits the terminal, and is whole in a pipe', async () => {
    await guideFabric()
    rig.apic.post('uni', { fvTenant: { attributes: { name: 'blue', descr: 'x'.repeat(200) } } })
    const argv = ['fabric-a', 'class', 'fvTenant', '--filter', 'eq(fvTenant.name,"blue")']
    const tty = await rig.askWith({ isTty: true, columns: 60, env: { NO_COLOR: '1' } }, ...argv)
    expect(tty.out.split('\n').every(line => line.length <= 60)).toBe(true)
    expect(tty.out).toContain(`blue  uni/tn-blue  ${'x'.repeat(40)}…\n`)
    expect((await rig.ask(...argv)).out).toContain(`blue  uni/tn-blue  ${'x'.repeat(200)}\n`)
  })

  it('is coloured on a terminal only; what is hostile in it drives no terminal, as JSON neither', async () => {
    await guideFabric()
    const evil = 'a\u001b[2Jb\u009b31mc\u202ed\u200be\r\nf'
    rig.apic.post(`${CORP}/ap-shop/epg-web`, fault('F1', { severity: 'critical', descr: evil }))
    const argv = ['fabric-a', 'class', 'faultInst', '--filter', 'eq(faultInst.code,"F1")']
    const tty = await rig.askWith({ isTty: true, columns: 200 }, ...argv)
    expect(tty.out).toContain('\u001b[31mcritical')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    const hostile = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e]/
    // Only our own colours.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(tty.out.replace(/\u001b\[\d+m/g, '')).not.toMatch(hostile)
    const piped = await rig.ask(...argv)
    expect(piped.out).not.toMatch(hostile)
    const json = await rig.ask(...argv, '--json')
    expect(json.out).not.toMatch(hostile)
    const [object] = await rig.json(...argv)
    expect(object).toMatchObject({ faultInst: { attributes: { descr: evil } } })
  })

  it('shows a long name, which is no secret', async () => {
    rig = await QueryRig.make({ apic: {} })
    const name = 'PROD-Web-Frontend-Servers-VLAN1234-Site01'
    rig.apic.post('uni', { fvTenant: { attributes: { name } } })
    const { out } = await rig.ask('fabric-a', 'mo', `uni/tn-${name}`, '--columns', 'name,dn')
    expect(linesOf(out)[1]).toBe(`${name}  uni/tn-${name}`)
  })

  it('says that there is nothing', async () => {
    await guideFabric()
    const none = await rig.ask('fabric-a', 'mo', 'uni/tn-nobody')
    expect([none.code, none.out]).toEqual([0, '0 objects\n'])
    const json = await rig.ask('fabric-a', 'mo', 'uni/tn-nobody', '--json')
    expect([json.code, json.out]).toEqual([0, ''])
  })
})

it("shows no secret of the controller: the guide's own aaaUser with its encPwd", async () => {
  await guideFabric()
  const argv = ['fabric-a', 'class', 'aaaUser', '--filter', 'eq(aaaUser.name,"georgewa")']
  const whole = await rig.ask(...argv, '--json')
  expect(whole.out).toContain('"pwdSet":"yes"')
  expect(whole.out).not.toMatch(/encPwd|"pwd"|paSSword1/)
  const nested = await rig.ask('fabric-a', 'mo', 'uni/userext', '--rsp-subtree', 'full', '--json')
  expect(nested.out).toContain('georgewa')
  expect(nested.out).not.toMatch(/encPwd|"pwd"|paSSword1/)
  const columns = await rig.ask(...argv, '--columns', 'name,encPwd')
  expect([columns.code, columns.err]).toEqual([64, expect.stringContaining('no "encPwd" in these rows')])
})
