/** Secrets never leave: a marker in every secret property, by every way an APIC has of showing one. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeFrame } from '../../src/subscribers/apic/decode.ts'
import { normalise } from '../../src/subscribers/apic/normalise.ts'
import { type Case, play } from './play-case.ts'

const MARKER = 'Pl4ntedMarker'
const IDS = { subscriptionId: ['72058418689310721'] }

/** Class, name of an object of it, its secrets. `MARKER` in the name: the name itself is one. */
const PLACES: readonly (readonly [cls: string, dn: string, secrets: readonly string[]])[] = [
  ['aaaUser', 'uni/userext/user-bob', ['pwd', 'encPwd', 'oldPwd', 'otpKey']],
  ['aaaSshAuth', 'uni/userext/user-bob/sshauth-main', ['data']],
  ['aaaUserCert', 'uni/userext/user-bob/usercert-ci', ['data']],
  ['pkiKeyRing', 'uni/userext/pkiext/keyring-web', ['key']],
  ['pkiExportEncryptionKey', 'uni/exportcryptkey', ['passphrase']],
  ['pkiWebTokenData', 'uni/userext/pkiext/webtokendata', ['key', 'hashSecret']],
  ['snmpCommunityP', `uni/fabric/snmppol-default/community-${MARKER}`, ['name']],
  ['snmpUserP', 'uni/fabric/snmppol-default/user-nms', ['authKey', 'privKey']],
  ['snmpTrapDest', 'uni/fabric/snmpgroup-nms/trapdest-10.0.0.1-port-162', ['secName']],
  ['aaaTacacsPlusProvider', 'uni/userext/tacacsext/tacacsplusprovider-a', ['key', 'monitoringPassword']],
  ['aaaRadiusProvider', 'uni/userext/radiusext/radiusprovider-a', ['key', 'monitoringPassword']],
  ['aaaLdapProvider', 'uni/userext/ldapext/ldapprovider-a', ['key', 'monitoringPassword']],
  ['aaaSamlEncCert', 'uni/userext/samlext/samlenccert-a', ['privateKey']],
  ['vmmUsrAccP', 'uni/vmmp-VMware/dom-v/usracc-root', ['pwd']],
  [
    'fileRemotePath',
    'uni/fabric/path-backup',
    ['userPasswd', 'identityPrivateKeyContents', 'identityPrivateKeyPassphrase'],
  ],
  ['ospfIfP', 'uni/tn-prod/out-wan/lnodep-n/lifp-i/ospfIfP', ['authKey']],
  ['bgpPeerP', 'uni/tn-prod/out-wan/lnodep-n/peerP-[10.0.0.2]', ['password']],
  ['hsrpGroupPol', 'uni/tn-prod/hsrpGroupPol-g', ['key']],
  ['macsecKeyPol', 'uni/fabric/macsecpcontfab/keychainp-k/keyp-1', ['preSharedKey']],
  ['cloudAwsProvider', 'uni/tn-cloud/awsprovider', ['secretAccessKey']],
  ['vnsCCredSecret', 'uni/tn-prod/lDevVip-fw/ccredsecret-password', ['value']],
  ['vnsParamInst', 'uni/tn-prod/ap-shop/epg-web/ParI-password', ['value']],
  ['tagTag', 'uni/tn-prod/tagKey-dbPassword', ['value']],
  ['tagAnnotation', 'uni/tn-prod/annotationKey-[api_token]', ['value']],
  ['someNewClass', 'uni/tn-prod/new-thing', ['apiKey', 'sessionToken', 'dbPassword', 'clientSecret', 'passwordHash']],
]

const spelt = (name: string): string[] => [name, name.toUpperCase(), name.toLowerCase()]

function attributesOf(dn: string, secrets: readonly string[], status: string): Record<string, string> {
  const planted = Object.fromEntries(secrets.map((name, index) => [name, `${MARKER}$${index}/+= x`]))
  return { dn, name: 'plain', descr: 'seen', modTs: 'never', status, ...planted }
}

function xmlOf(cls: string, attributes: Record<string, string>): string {
  const text = Object.entries(attributes).map(([name, value]) => `${name}="${value}"`)
  return `<?xml version="1.0" encoding="UTF-8"?><imdata subscriptionId="72058418689310721"><${cls} ${text.join(' ')}/></imdata>`
}

/** Each way in which an APIC shows an object's properties, as a case. */
function ways(cls: string, dn: string, secrets: readonly string[]): Record<string, Case['steps']> {
  const frame = (name: string, attributes: Record<string, string>, children?: unknown[]) => ({
    frame: { ...IDS, imdata: [{ [name]: { attributes, ...(children === undefined ? {} : { children }) } }] },
  })
  const created = attributesOf(dn, secrets, 'created')
  const plain = { dn, name: 'plain', descr: 'before', modTs: 'never', status: 'created' }
  const record = (changeSet: string, descr: string) => ({
    affected: dn,
    cause: 'transition',
    changeSet,
    code: 'E4208237',
    created: '2026-02-03T04:05:06.789+09:00',
    descr,
    dn: `subj-[${dn}]/mod-77`,
    id: '77',
    ind: 'modification',
    severity: 'info',
    status: 'created',
    txId: '5',
    user: 'alice',
  })
  const value = `${MARKER}$/+=`
  const listed = secrets.map(name => `${name}:${value}`).join(', ')
  const oldNew = secrets.map(name => `${name} (Old: ${value} a, New: ${value} (b))`).join(', ')
  const onlyNew = secrets.map(name => `${name} (New: ${value})`).join(', ')
  const named = dn.includes(MARKER) ? `Community ${MARKER} created` : 'changed'
  const all: Record<string, Case['steps']> = {
    created: [frame(cls, created)],
    modified: [frame(cls, plain), frame(cls, { ...created, status: 'modified' })],
    'modified, never seen': [frame(cls, { ...created, status: 'modified' })],
    'modified twice': [frame(cls, created), frame(cls, { ...created, descr: 'again', status: 'modified' })],
    deleted: [frame(cls, created), frame(cls, { ...created, status: 'deleted' })],
    snapshot: [{ answer: { totalCount: '1', imdata: [{ [cls]: { attributes: { ...created, status: '' } } }] } }],
    nested: [frame('polUni', { dn: 'uni', status: 'modified' }, [{ [cls]: { attributes: created } }])],
    XML: [{ xmlFrame: xmlOf(cls, created) }],
    'its fault': [
      frame('faultInst', { dn: `${dn}/fault-F1`, code: 'F1', lc: 'raised', changeSet: listed, status: 'created' }),
    ],
  }
  for (const [index, text] of [listed, oldNew, onlyNew, `first:1, ${listed}, ${oldNew}, last:2`].entries()) {
    for (const log of ['aaaModLR', 'eventRecord']) {
      all[`${log}, spelling ${index}`] = [frame(log, record(text, named))]
      all[`${log}, spelling ${index}, XML`] = [{ xmlFrame: xmlOf(log, record(text, named)) }]
    }
  }
  return all
}

describe('a planted secret occurs in no event', () => {
  describe.each(PLACES)('%s', (cls, dn, secrets) => {
    it.each(Object.entries(ways(cls, dn, secrets)))('%s', (way, steps) => {
      for (const raw of [true, false]) {
        const { facts, objects } = play({ about: way, raw, steps })
        expect(facts.length).toBeGreaterThan(0)
        expect(JSON.stringify(facts)).not.toContain(MARKER)
        // In the mirror a name may be the secret: only there it stands, and in no other property.
        for (const { attributes } of objects) {
          expect(JSON.stringify({ ...attributes, dn: '' })).not.toContain(MARKER)
        }
      }
    })

    it('in whatever case the property is spelt', () => {
      const generic = secrets.filter(name => !['data', 'name', 'secName', 'value'].includes(name))
      for (const name of generic.flatMap(spelt)) {
        const { facts } = play({ about: name, raw: true, steps: ways(cls, dn, [name])['created'] ?? [] })
        expect(JSON.stringify(facts)).not.toContain(MARKER)
      }
    })
  })
})

describe('a secret that a text quotes', () => {
  const told = (property: string, text: string) =>
    play({
      about: '',
      raw: true,
      steps: [
        {
          frame: { ...IDS, imdata: [{ eventRecord: { attributes: { dn: 'r', affected: 'uni', [property]: text } } }] },
        },
      ],
    }).facts

  it.each([
    `password="two ${MARKER} words", descr:x`,
    `failed with password='two ${MARKER} words' (again)`,
    `{"name":"bob","pwd":"two, ${MARKER}"}`,
    `descr:{"password": "two ${MARKER} words"}`,
    `descr (Old: a, New: b), pwd(New: ${MARKER})`,
    `sent password=${MARKER}, refused`,
  ])('in quotes or without: %s', text => {
    for (const property of ['descr', 'changeSet']) {
      const facts = told(property, text)
      expect(facts).toHaveLength(1)
      expect(JSON.stringify(facts)).not.toContain(MARKER)
    }
  })

  it('is masked alone: what stands around it is told', () => {
    const [fact] = told('descr', 'password="a b" was wrong, pwd=x')
    expect(fact?.data.description).toBe('password=******** was wrong, pwd=********')
  })
})

describe('what is told all the same', () => {
  it('is the value of a tag, or of a parameter, that is no secret', () => {
    const step = (cls: string, dn: string, attributes: Record<string, string>) => ({
      frame: { ...IDS, imdata: [{ [cls]: { attributes: { dn, value: 'plain', ...attributes } } }] },
    })
    const { facts } = play({
      about: '',
      raw: true,
      steps: [
        step('tagTag', 'uni/tn-a/tagKey-env', { key: 'env' }),
        step('vnsParamInst', 'uni/tn-a/ParI-port', { name: 'port', key: 'port' }),
      ],
    })
    expect(facts.map(({ data }) => JSON.stringify(data.raw).includes('"value":"plain"'))).toEqual([true, true])
  })

  it('is that something with a secret name was made, by whom, and which policy it is in', () => {
    const dn = `uni/fabric/snmppol-default/community-${MARKER}`
    const { facts } = play({
      about: '',
      raw: true,
      steps: ways('snmpCommunityP', dn, ['name'])['aaaModLR, spelling 0'] ?? [],
    })
    expect(facts[0]?.subject).toBe('subj-[uni/fabric/snmppol-default/community-********]/mod-77')
    expect(facts[0]?.data.summary).toMatch(/^alice changed .*community-\*{8}/)
    expect(facts[0]?.data.description).toBe('Community ******** created')
  })

  it('fits one line, though a mask may be longer than what it hides', () => {
    const dn = 'uni/fabric/snmppol-default/community-ab'
    const descr = 'ab '.repeat(200)
    const { facts } = play({
      about: '',
      steps: [{ frame: { ...IDS, imdata: [{ eventRecord: { attributes: { dn: 'r', affected: dn, descr } } }] } }],
    })
    expect(facts[0]?.data.summary.length).toBe(300)
    expect(JSON.stringify(facts)).not.toContain('ab ')
  })

  it('two communities stay two objects', () => {
    const make = (name: string) =>
      normalise(
        { source: { system: 'apic', name: 'fabric-a' }, raw: true, origin: 'live' },
        {
          cls: 'snmpCommunityP',
          dn: `uni/fabric/snmppol-x/community-${name}`,
          attributes: { descr: 'x' },
          status: 'created',
        },
        undefined,
      )
    expect(make('one').fact?.id).not.toBe(make('two').fact?.id)
    expect(make('one').mirror?.key).not.toBe(make('two').mirror?.key)
  })
})

describe("the guide's own notification", () => {
  // As the guide prints it, but for its blanks.
  const text = readFileSync(join(import.meta.dirname, 'guide-user-notification.json'), 'utf8')

  it('is understood, and its password stays here', () => {
    const frame = decodeFrame(text)
    expect(frame.subscriptionIds).toEqual(['72057598349672454', '72057598349672456'])
    const [change] = frame.changes
    expect(change?.attributes['encPwd']).toBe('TUxISkhH$VHyidGgBX0r7N/srt/YcMYTEn5248ommFhNFzZghvAU=')
    const { facts, objects } = play({ about: '', raw: true, steps: [{ frame: JSON.parse(text) as unknown }] })
    expect(facts.map(({ type, subject, data }) => [type, subject, data.summary])).toEqual([
      ['apic.aaaUser.created', 'uni/userext/user-sysadmin5', 'aaaUser created: user sysadmin5'],
    ])
    expect(JSON.stringify([facts, objects])).not.toMatch(/TUxISkhH|VHyidGg|"(encPwd|pwd)"/)
    expect(JSON.stringify(facts)).toContain('"pwdSet":"yes"')
  })
})
