import { describe, expect, it } from 'vitest'
import { Poison } from '../../src/errors.ts'
import { changesOf, decodeAnswer, decodeFrame } from '../../src/subscribers/apic/decode.ts'

/** The reason, for something that must be refused. */
function reasonOf(decode: () => unknown): string {
  try {
    decode()
  } catch (error) {
    expect(error).toBeInstanceOf(Poison)
    return (error as Poison).message
  }
  throw new Error('was not refused')
}

describe('answers', () => {
  it("reads the guide's answer to a subscription", () => {
    const answer = decodeAnswer(`{
      "subscriptionId" : "72057611234574337",
      "imdata" : [{ "fvTenant" : { "attributes" : { "instanceId" : "0:0", "dn" : "uni/tn-common", "status" : "" } } }]
    }`)
    expect(answer).toEqual({
      objects: [{ cls: 'fvTenant', attributes: { instanceId: '0:0', dn: 'uni/tn-common', status: '' }, children: [] }],
      totalCount: undefined,
      subscriptionId: '72057611234574337',
      error: undefined,
    })
  })

  it('reads a login answer with its children, and a count larger than what is shown', () => {
    const { objects, totalCount } = decodeAnswer(
      '{"totalCount":"120","imdata":[{"aaaLogin":{"attributes":{"token":"eyJ+/=","refreshTimeoutSeconds":"600"},' +
        '"children":[{"aaaUserDomain":{"attributes":{"name":"all"}}}]}}]}',
    )
    expect(totalCount).toBe(120)
    expect(objects[0]?.attributes['token']).toBe('eyJ+/=')
    expect(objects[0]?.children).toEqual([{ cls: 'aaaUserDomain', attributes: { name: 'all' }, children: [] }])
  })

  it('reads the flat list of aaaListDomains', () => {
    const { objects } = decodeAnswer(
      '{"imdata":[{"name":"ExampleRadius"},{"name":"local","guiBanner":"San Jose Fabric"}]}',
    )
    expect(objects.map(({ cls, attributes }) => [cls, attributes])).toEqual([
      ['domain', { name: 'ExampleRadius' }],
      ['domain', { name: 'local', guiBanner: 'San Jose Fabric' }],
    ])
  })

  it.each([
    '{"totalCount":"1","imdata":[{"error":{"attributes":{"code":"403","text":"Token was invalid (Error: Token timeout)"}}}]}',
    '<?xml version="1.0" encoding="UTF-8"?><imdata totalCount="1"><error code="403" text="Token was invalid (Error: Token timeout)"/></imdata>',
  ])('recognises an error body: %s', text => {
    const { error, objects } = decodeAnswer(text)
    expect(error).toEqual({ code: '403', text: 'Token was invalid (Error: Token timeout)' })
    expect(objects).toEqual([])
  })

  it('keeps the digits of ids and numbers that come bare', () => {
    const answer = decodeAnswer(
      '{"totalCount":1,"subscriptionId":72058418689310721,"imdata":[{"a":{"attributes":{"dn":"x","id":72057594037927937,"on":true,"off":null}}}]}',
    )
    expect(answer.subscriptionId).toBe('72058418689310721')
    expect(answer.totalCount).toBe(1)
    expect(answer.objects[0]?.attributes).toEqual({ dn: 'x', id: '72057594037927937', on: 'true', off: '' })
  })

  it('reads XML: entities, blanks in values, nested objects', () => {
    const { objects, subscriptionId } = decodeAnswer(
      '\n<?xml version="1.0" encoding="UTF-8"?>\n<imdata totalCount="1" subscriptionId="72058418689310721">\n' +
        '  <fvTenant dn="uni/tn-a" descr=" R&amp;D &quot;x&quot; &#60;&#x3c; &amp;amp; " n="0010">\n    <fvBD rn="BD-b"/>\n  </fvTenant>\n</imdata>',
    )
    expect(subscriptionId).toBe('72058418689310721')
    expect(objects).toEqual([
      {
        cls: 'fvTenant',
        attributes: { dn: 'uni/tn-a', descr: ' R&D "x" << &amp; ', n: '0010' },
        children: [{ cls: 'fvBD', attributes: { rn: 'BD-b' }, children: [] }],
      },
    ])
  })

  it.each([
    ['', /neither/],
    ['503 Service Unavailable', /neither/],
    ['[1]', /neither/],
    ['{"imdata":', /JSON/],
    ['{"other":[]}', /imdata/],
    ['<html><head><title>503</title></head></html>', /imdata/],
    ['<!DOCTYPE html><html><br></html>', /document type/],
    ['<!DOCTYPE x [<!ENTITY a "b">]><imdata><a b="&a;"/></imdata>', /document type/],
    ['<imdata><a></imdata>', /XML/],
  ])('refuses %j', (text, reason) => {
    expect(reasonOf(() => decodeAnswer(text))).toMatch(reason)
  })

  it('refuses XML nested without end', () => {
    const deep = 200
    expect(reasonOf(() => decodeAnswer(`<imdata>${'<a>'.repeat(deep)}${'</a>'.repeat(deep)}</imdata>`))).toMatch(/deep/)
  })

  it('turns answers into whole objects, children by parent and rn, leaving out what has no dn', () => {
    const { objects } = decodeAnswer(
      '{"imdata":[{"fvCEp":{"attributes":{"dn":"uni/x"},"children":[{"fvIp":{"attributes":{"dn":"","rn":"ip-[10.0.0.1]"}}},' +
        '{"moCount":{"attributes":{"count":"3"}}}]}},{"moCount":{"attributes":{"dn":"","count":"1"}}}]}',
    )
    expect(changesOf(objects)).toEqual([
      { cls: 'fvCEp', dn: 'uni/x', attributes: { dn: 'uni/x' }, status: 'created' },
      {
        cls: 'fvIp',
        dn: 'uni/x/ip-[10.0.0.1]',
        attributes: { dn: 'uni/x/ip-[10.0.0.1]', rn: 'ip-[10.0.0.1]' },
        status: 'created',
      },
    ])
  })
})

describe('frames', () => {
  const frame = (ids: string, ...objects: readonly string[]): string =>
    `{"subscriptionId":${ids},"imdata":[${objects.join(',')}]}`
  const tenant = (status: string): string => `{"fvTenant":{"attributes":{"dn":"uni/tn-a","status":"${status}"}}}`

  it.each([
    ['"72058418689310721"', ['72058418689310721']],
    ['["72058418689310721","72058418689310724"]', ['72058418689310721', '72058418689310724']],
    ['72058418689310721', ['72058418689310721']],
    ['[72058418689310721,"72058418689310724"]', ['72058418689310721', '72058418689310724']],
  ])('takes the ids of %s', (ids, expected) => {
    expect(decodeFrame(frame(ids, tenant('created'))).subscriptionIds).toEqual(expected)
  })

  it('takes several ids of an XML frame', () => {
    const { subscriptionIds, changes } = decodeFrame(
      '<imdata subscriptionId="72058418689310721,72058418689310724"><fvTenant dn="uni/tn-a" status="deleted"/><fvBD dn="uni/tn-a/BD-b"/></imdata>',
    )
    expect(subscriptionIds).toEqual(['72058418689310721', '72058418689310724'])
    expect(changes.map(({ cls, dn, status }) => [cls, dn, status])).toEqual([
      ['fvTenant', 'uni/tn-a', 'deleted'],
      ['fvBD', 'uni/tn-a/BD-b', 'created'],
    ])
  })

  it.each([
    ['created', 'created'],
    ['modified', 'modified'],
    ['deleted', 'deleted'],
    ['', 'created'],
    ['created,modified', 'created'],
    ['frobnicated', 'modified'],
  ])('status %j is %s', (status, expected) => {
    expect(decodeFrame(frame('"1"', tenant(status))).changes[0]?.status).toBe(expected)
  })

  it('takes every object, and every key of one', () => {
    const { changes } = decodeFrame(
      frame('"1"', tenant('created'), '{"a":{"attributes":{"dn":"x"}},"b":{"attributes":{"dn":"y"}}}'),
    )
    expect(changes.map(change => change.dn)).toEqual(['uni/tn-a', 'x', 'y'])
  })

  it('unfolds children; below a deleted object they are deleted', () => {
    const nested = (status: string): string =>
      `{"fvAp":{"attributes":{"dn":"uni/ap","status":"${status}"},"children":[{"fvAEPg":{"attributes":{"rn":"epg-w"},` +
      '"children":[{"fvSubnet":{"attributes":{"rn":"subnet-[10.0.0.1/24]","status":"modified"}}}]}}]}}'
    const seen = (text: string) => decodeFrame(frame('"1"', text)).changes.map(({ dn, status }) => [dn, status])
    expect(seen(nested('modified'))).toEqual([
      ['uni/ap', 'modified'],
      ['uni/ap/epg-w', 'created'],
      ['uni/ap/epg-w/subnet-[10.0.0.1/24]', 'modified'],
    ])
    expect(seen(nested('deleted'))[1]).toEqual(['uni/ap/epg-w', 'deleted'])
  })

  it('goes on beside what it cannot read, and hands that out whole', () => {
    const { changes, unreadable } = decodeFrame(
      frame('"1"', 'null', '{}', '{"fvBD":{"attributes":{"name":"no dn"}}}', '{"fvBD":"text"}', tenant('created')),
    )
    expect(changes).toHaveLength(1)
    expect(unreadable.map(({ content }) => content)).toEqual([
      'null',
      '{}',
      '{"fvBD":{"attributes":{"name":"no dn"}}}',
      '{"fvBD":"text"}',
    ])
  })

  it('an error in a frame does not take the objects beside it along', () => {
    const error = '{"error":{"attributes":{"code":"400","text":"hunter2"}}}'
    const { changes, unreadable } = decodeFrame(frame('"1"', tenant('created'), error, tenant('deleted')))
    expect(changes.map(({ status }) => status)).toEqual(['created', 'deleted'])
    expect(unreadable).toEqual([{ reason: 'a frame that holds an error', content: error }])
  })

  it('below what has no dn, what names itself is read', () => {
    const child = '{"fvBD":{"attributes":{"dn":"uni/tn-a/BD-b"}}},{"fvBD":{"attributes":{"rn":"BD-c"}}}'
    const parent = `{"fvTenant":{"attributes":{"name":"a"},"children":[${child}]}}`
    const { changes, unreadable } = decodeFrame(frame('"1"', parent))
    expect(changes.map(({ dn }) => dn)).toEqual(['uni/tn-a/BD-b'])
    expect(unreadable.map(({ content }) => content)).toEqual([parent])
  })

  it('children that are no list are handed out, their parent goes on', () => {
    const { changes, unreadable } = decodeFrame(
      frame('"1"', '{"fvTenant":{"attributes":{"dn":"uni/tn-a"},"children":{"fvBD":{"attributes":{"rn":"BD-b"}}}}}'),
    )
    expect(changes.map(({ dn }) => dn)).toEqual(['uni/tn-a'])
    expect(unreadable[0]?.reason).toMatch(/children/)
  })

  it('goes on beside objects and values that are nested without end', () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const nested = `${'{"a":{"attributes":{"rn":"a"},"children":['.repeat(20_000)}${']}}'.repeat(20_000)}`
    const { changes, unreadable } = decodeFrame(
      frame(
        '"1"',
        deep,
        `{"fvBD":${deep}}`,
        `{"fvTenant":{"attributes":{"dn":"uni/tn-b","descr":${deep}}}}`,
        `{"fvTenant":{"attributes":{"dn":"uni/tn-c"},"children":[${nested}]}}`,
        tenant('created'),
      ),
    )
    const told = changes.map(({ dn }) => dn)
    expect([told[0], told[1], told.at(-1)]).toEqual(['uni/tn-b', 'uni/tn-c', 'uni/tn-a'])
    expect(unreadable.length).toBeGreaterThan(0)
  })

  it('names that every object has by birth are names like any other; __proto__ is left out', () => {
    const { changes, unreadable } = decodeFrame(
      frame(
        '"1"',
        '{"fvTenant":{"attributes":{"dn":"x","__proto__":"p","constructor":"c","toString":"t"}}}',
        '{"fvTenant":{"attributes":{"dn":"y","__proto__":{"status":"deleted","polluted":"yes"}}}}',
        '{"__proto__":{"attributes":{"dn":"z"}}}',
      ),
    )
    expect(changes.map(({ dn, status, attributes }) => [dn, status, { ...attributes }])).toEqual([
      ['x', 'created', { dn: 'x', constructor: 'c', toString: 't' }],
      ['y', 'created', { dn: 'y' }],
    ])
    expect(unreadable).toHaveLength(1)
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('polluted')
  })

  it('half a surrogate pair becomes a character that can be stored', () => {
    const { changes } = decodeFrame(
      frame('"1"', '{"a":{"attributes":{"dn":"x\\ud800","descr":"\\udc00\\ud83d\\ude00"}}}'),
    )
    expect(changes[0]).toMatchObject({ dn: 'x\ufffd', attributes: { descr: '\ufffd😀' } })
  })

  it('a byte order mark, doubled keys, ids joined in one text', () => {
    const doubled = '{"a":{"attributes":{"dn":"x","dn":"y","status":"created","status":"deleted"}}}'
    const { changes, subscriptionIds } = decodeFrame(
      `\ufeff ${frame('"72057598349672454, 72057598349672456"', doubled)}`,
    )
    expect(subscriptionIds).toEqual(['72057598349672454', '72057598349672456'])
    expect(changes).toEqual([{ cls: 'a', dn: 'y', attributes: { dn: 'y', status: 'deleted' }, status: 'deleted' }])
  })

  it('entities that stand for others are no bomb', () => {
    const bomb = '<!DOCTYPE b [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    const object = '<fvTenant dn="uni/tn-a" descr="&b;&#x26;&#xD800;&#99999999;"/>'
    expect(reasonOf(() => decodeFrame(`${bomb}<imdata subscriptionId="1">${object}</imdata>`))).toMatch(/document type/)
    // Behind what is looked at for a document type, no entity is expanded all the same.
    const late = `<!--${' '.repeat(4000)}-->${bomb}`
    const { changes } = decodeFrame(`${late}<imdata subscriptionId="1">${object}</imdata>`)
    expect(changes[0]?.attributes['descr']).toBe('&b;&\ufffd&#99999999;')
  })

  it('an empty frame is a frame', () => {
    expect(decodeFrame('{"subscriptionId":["1"],"imdata":[]}')).toEqual({
      subscriptionIds: ['1'],
      changes: [],
      unreadable: [],
    })
  })

  it.each([
    ['hunter2', /neither/],
    ['{"subscriptionId":["1"],"imdata":[{"hunter2"', /JSON/],
    ['{"imdata":[{"hunter2":{"attributes":{"dn":"x"}}}]}', /subscriptionId/],
    ['{"subscriptionId":["1"],"imdata":{"hunter2":1}}', /imdata/],
    ['{"subscriptionId":["1"],"imdata":[{"error":{"attributes":{"code":"400","text":"hunter2"}}}]}', /error/],
    ['<hunter2/>', /imdata/],
    ['<imdata subscriptionId="1"><hunter2>', /XML/],
  ])('refuses %j without quoting it', (text, expected) => {
    const reason = reasonOf(() => decodeFrame(text))
    expect(reason).toMatch(expected)
    expect(reason).not.toContain('hunter2')
  })
})
