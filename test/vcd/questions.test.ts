import { afterEach, describe, expect, it } from 'vitest'
import { inventoryText, parseInventory } from '../../src/subscribers/vcd/inventory.ts'
import { parseOrgs } from '../../src/subscribers/vcd/orgs.ts'
import { type EventsQuestion, VcdQuestions } from '../../src/subscribers/vcd/questions.ts'
import { CI_TOKEN, OPS_TOKEN, type Rig, SYSTEM_TOKEN, startRig } from './rig.ts'

let rig: Rig
let questions: VcdQuestions
afterEach(async () => {
  await questions.close()
  await rig.end()
})

function open(more: Record<string, unknown> = {}): void {
  const { clock } = rig
  const { signal } = new AbortController()
  questions = new VcdQuestions(rig.config(more), { clock, signal, report: () => undefined, stateDir: rig.directory })
}

const ACME = { org: 'acme', api_token: 'secret-ci' }

async function ids(question: EventsQuestion, limit = Number.POSITIVE_INFINITY): Promise<string[]> {
  const result: string[] = []
  let over = false
  const reading = (async () => {
    for await (const row of questions.events(question)) {
      result.push((row as { eventId: string }).eventId.split(':').at(-1) ?? '')
      if (result.length >= limit) break
    }
    over = true
  })()
  await rig.drive(() => over, 'all events are read')
  await reading
  return result
}

describe('orgs and versions', () => {
  it('lists the organisations that the login sees: all for the provider, its own for a tenant', async () => {
    rig = await startRig()
    open()
    expect((await questions.orgs()).map(org => org.name)).toEqual(['System', 'acme', 'Müller & Söhne'])
    await questions.close()
    open(ACME)
    const [own, ...others] = await questions.orgs()
    expect([own?.name, others]).toEqual(['acme', []])
    expect(own?.href).toBe(`https://cloud.example.net/api/org/${own?.id}`)
    const asked = rig.simulator.record.requests.filter(({ path }) => path === '/api/org')
    expect(asked.map(({ accept }) => accept)).toEqual(Array(2).fill('application/*+xml;version=39.1'))
  })

  it("reads the list of the vendor's guide, which was asked for with 36.1", async () => {
    rig = await startRig({ versions: [{ version: '36.1', deprecated: true }] })
    open()
    expect((await questions.orgs()).map(org => org.name)).toContain('System')
    expect(rig.simulator.record.requests.at(-1)?.accept).toBe('application/*+xml;version=36.1')
    const guide =
      '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<OrgList xmlns="http://www.vmware.com/vcloud/v1.5" href="https://host_name/api/org/">\n' +
      '<Org href="https://host_name/api/org/a93c9db9-7471-3192-8d09-a8f7eeda85f9" type="application/vnd.vmware.vcloud.org+xml" name="System"/>\n</OrgList>'
    expect(parseOrgs(guide)).toMatchObject([{ name: 'System', id: 'a93c9db9-7471-3192-8d09-a8f7eeda85f9' }])
    expect(parseOrgs('<OrgList xmlns="http://www.vmware.com/vcloud/v1.5"/>')).toEqual([])
    expect(parseOrgs('<OrgList><Org href="h/1" name="007"/></OrgList>')).toMatchObject([{ name: '007' }])
    expect(() => parseOrgs('<html/>')).toThrow('no OrgList')
  })

  it('tells what the cell offers and what is spoken, without a login', async () => {
    rig = await startRig()
    open({ api_token: 'wrong' })
    const { offered, chosen } = await questions.versions()
    expect(chosen).toBe('39.1')
    expect(offered.find(one => one.version === '36.1')).toEqual({ version: '36.1', deprecated: true })
    expect(rig.simulator.record.logins).toEqual([])
  })
})

describe('events', () => {
  it.each([false, true])('come once each, ties longer than a page too (newest first: %s)', async newestFirst => {
    rig = await startRig({ tokenLoginEvents: false, subMillisecond: true })
    const now = rig.clock.wall()
    const row = { type: 'vm/modify', user: 'alice', org: 'acme' }
    const written: string[] = []
    for (let n = 0; n < 300; n++) written.push(rig.simulator.write({ ...row, atMs: now - 60_000 + n * 10 }))
    for (let n = 0; n < 300; n++) written.push(rig.simulator.write({ ...row, atMs: now - 59_000 }))
    open()
    const read = await ids({ fromMs: now - 120_000, newestFirst })
    expect(read).toHaveLength(600)
    expect([...read].sort()).toEqual([...written].sort())
    const last = written[299]
    expect(newestFirst ? read[0] : read.at(-1)).toBe(last)
    expect(await ids({ fromMs: now - 60_000, untilMs: now - 59_990 })).toEqual([written[0]])
    expect(await ids({ fromMs: now - 60_000, newestFirst }, 3)).toHaveLength(3)
  })

  it('take a filter of the cell, values with blanks too, and tell why one is refused', async () => {
    rig = await startRig({ tokenLoginEvents: false })
    const at = rig.clock.wall() - 1000
    const wanted = rig.simulator.write({
      type: 'vm/delete',
      user: 'alice',
      org: 'acme',
      description: 'gone for good',
      atMs: at,
    })
    rig.simulator.write({ type: 'vm/create', user: 'alice', org: 'acme', atMs: at })
    open()
    expect(await ids({ fromMs: 0, filter: 'eventType==com/vmware/vcloud/event/vm/delete,user.name==bob' })).toEqual([
      wanted,
    ])
    expect(await ids({ fromMs: 0, filter: 'description==gone%20for%20good' })).toEqual([wanted])
    const refused = questions.events({ fromMs: 0, filter: 'eventStatus==SUCCESS' }).next()
    await expect(refused).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('can not be used in a filter'),
    })
  })
})

describe('tokens', () => {
  it('are listed for a user who logs in, as an inventory that the daemon reads; a token session may not', async () => {
    rig = await startRig({ managesAll: ['alice'] })
    open({ ...ACME, api_token: 'never sent' })
    const tokens = await questions.tokens({ user: 'ci-bot', password: 'pw-bot' })
    expect(tokens).toEqual([{ id: CI_TOKEN, name: 'ci', owner: 'ci-bot', org: 'acme', expires: undefined }])
    const inventory = parseInventory(inventoryText(tokens))
    expect(inventory.get(CI_TOKEN)).toMatchObject({ name: 'ci', owner: 'ci-bot', org: 'acme' })
    // Another organisation, whose name has what a URL must not.
    const [ops] = await questions.tokens({ user: 'heidi@Müller & Söhne', password: 'pw-heidi' })
    expect(ops?.id).toBe(OPS_TOKEN)
    // With the right to manage all, the whole organisation's; the provider's administrator sees everybody's.
    expect((await questions.tokens({ user: 'alice', password: 'pw-alice' })).map(one => one.name)).toEqual(['ci'])
    const all = await questions.tokens({ user: 'root@System', password: 'pw-root' })
    expect(all.map(one => one.id).sort()).toEqual([CI_TOKEN, OPS_TOKEN, SYSTEM_TOKEN])
    const { record } = rig.simulator
    expect(record.logins.map(({ way, ok }) => [way, ok])).toEqual(Array(4).fill(['password', true]))
    expect(record.requests.filter(({ method, status }) => method === 'DELETE' && status === 204)).toHaveLength(4)
  })

  it('are read page by page, however large the cell allows a page to be', async () => {
    const tokens = Array.from({ length: 130 }, (_, n) => ({
      secret: `s${n}`,
      id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
      name: `t${n}`,
      user: 'alice',
      org: 'acme',
    }))
    rig = await startRig({ tokens, maxTokensPageSize: 32, omitTotal: true })
    open(ACME)
    expect(await questions.tokens({ user: 'alice', password: 'pw-alice' })).toHaveLength(130)
  })

  it('tell a wrong password from a missing right, and keep the password to themselves', async () => {
    rig = await startRig()
    open(ACME)
    const wrong = questions.tokens({ user: 'alice', password: 'hunter2' })
    await expect(wrong).rejects.toMatchObject({ code: 'auth_refused', message: expect.not.stringContaining('hunter2') })
    rig.simulator.knobs.fail = ({ path }) => (path.includes('/tokens?') ? { kind: 'status', status: 403 } : undefined)
    await expect(questions.tokens({ user: 'alice', password: 'pw-alice' })).rejects.toMatchObject({
      code: 'permission',
    })
    // Logged out all the same.
    expect(rig.simulator.record.requests.at(-1)).toMatchObject({ method: 'DELETE', status: 204 })
  })
})
