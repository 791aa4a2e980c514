/** Questions that are refused before any controller is asked: each names the key that is wrong. */
import { describe, expect, it } from 'vitest'
import { type QuestionConfig, questionSchema, subscriptionSchema } from '../../src/config/query.ts'
import { codeOf } from '../../src/errors.ts'
import { buildQueries, type Purpose } from '../../src/subscribers/apic/query.ts'
import { Unaskable } from '../../src/subscribers/apic/unaskable.ts'

function refusal(question: Record<string, unknown>, purpose: Purpose): string[] {
  const parsed: QuestionConfig = (purpose === 'ask' ? questionSchema : subscriptionSchema).parse(question)
  try {
    buildQueries(parsed, purpose)
  } catch (error) {
    expect(codeOf(error)).toBe('config')
    if (error instanceof Unaskable) return error.problems.map(({ key, message }) => `${key}: ${message}`)
    throw error
  }
  return []
}

describe('in a subscription and in a question', () => {
  it.each<[Record<string, unknown>, RegExp]>([
    [{ class: 'fvTenant', order_by: 'fvBD.name' }, /^order_by: there is no fvBD to sort: .*fvTenant/],
    [{ class: 'fvTenant', order_by: ['fvTenant.name', 'fvBD.name'] }, /^order_by: sorts by properties of one class/],
    [{ class: 'fvTenant', filter: { eq: ['fvBD.name', 'x'] } }, /^filter: .*fvBD never matches fvTenant/],
    [
      { class: 'fvTenant', rsp_subtree_include: 'health', rsp_subtree_filter: { lt: ['faultInst.occur', 5] } },
      /^rsp_subtree_filter: .*faultInst never matches healthInst/,
    ],
    [{ class: 'fvTenant', filter: { eq: ['fvTenant.name', 'a"b'] } }, /^filter: .*quotation mark/],
    [{ class: 'fvTenant', filter: { eq: ['fvTenant.name', 'a\u0085b'] } }, /^filter: .*control character/],
    [{ class: 'fvTenant', filter: { eq: ['fvTenant.name', 'a\u2028b'] } }, /^filter: .*control character/],
    [{ class: 'fvTenant', filter: { eq: ['fvTenant.name', 'a\ud800b'] } }, /^filter: .*half of a character/],
    // `"a\"` would go on after its end.
    [{ class: 'fvTenant', filter: { eq: ['fvTenant.name', 'a\\'] } }, /^filter: .*ends with/],
    [{ class: 'fvTenant', filter: { eq: ['fvTenant.name', 'a\\\\b'] } }, /^filter: /],
    [{ class: 'fvAEPg', filter: { allbits: ['fvAEPg.fwdCtrl', ','] } }, /^filter: allbits names no bit/],
    [{ class: 'fvAEPg', filter: { anybit: ['fvAEPg.fwdCtrl', ''] } }, /^filter: anybit names no bit/],
    [{ class: 'fvTenant', time_range: '24h' }, /^time_range: only log classes/],
    [{ raw: 'class/fvTenant.json?rsp-subtree-include=required' }, /^raw: .*no category for required/],
    [
      { raw: 'class/fvTenant.json?rsp-subtree=children&rsp-subtree-include=required,subtree' },
      /^raw: .*no category for subtree to/,
    ],
    [
      {
        raw: 'class/fvTenant.json?rsp-subtree=full&rsp-subtree-include=no-scoped&rsp-subtree-class=fvBD&order-by=fvTenant.name',
      },
      /^raw: .*there is no fvTenant to sort: the answer holds fvBD/,
    ],
    [{ raw: 'class/eventRecord.json?time-range=2026-13-01|2026-02-01' }, /^raw: time-range: must be 24h/],
    [{ raw: 'class/eventRecord.json?time-range=2026-02-01T25|2026-02-03' }, /^raw: time-range: must be 24h/],
    [{ mo: 'uni/tn-a.json' }, /^mo: .*without .json/],
    [{ mo: '/' }, /^mo: an empty DN/],
    [{ mo: 'uni/tn-a\n' }, /^mo: .*control character/],
    [{ mo: 'uni/tn-\udc00' }, /^mo: .*half of a character/],
    [{ mo: 'uni//tn-a' }, /^mo: .*\/\//],
    [{ mo: 'mo/uni/tn-a' }, /^mo: write the DN alone/],
    [{ mo: 'https://192.0.20.123/api/mo/uni/tn-a' }, /^mo: write the DN alone/],
    [{ mo: 'uni/tn-a?query-target=subtree' }, /^mo: write the options with their own keys/],
    [{ tag: 'a\u0000' }, /^tag: /],
    [{ raw: 'nonsense' }, /^raw: .*must be class/],
    [{ raw: 'class/fv:Tenant.json' }, /^raw: .*without the colon: fvTenant/],
    [{ raw: 'class/topology/pod-1/fvTenant.json' }, /^raw: .*no switch/],
    [{ raw: 'mo/uni/../secret.json' }, /^raw: .*rewritten/],
    [{ raw: 'mo/uni/%2e%2e/secret.json' }, /^raw: .*rewritten/],
    [{ raw: 'mo/uni/tn-%0a.json' }, /^raw: .*control character/],
    [{ raw: 'mo/uni/tn-%ff.json' }, /^raw: %ff is no character/],
    [{ raw: 'mo/uni/tn-a\u0000.json' }, /^raw: .*control character/],
    [{ raw: 'class/fvTenant.json?query_target=subtree' }, /^raw: .*is query-target meant/],
    [{ raw: 'class/fvTenant.json?rsp-subtre=full' }, /^raw: .*is rsp-subtree meant/],
    [{ raw: 'class/fvTenant.json?filter=true()' }, /^raw: .*there are query-target, /],
    [{ raw: 'class/fvTenant.json?page=0&page-size=1&page=1' }, /^raw: page is there twice/],
    [{ raw: 'class/fvTenant.json?page=0?page-size=1' }, /^raw: a second \?/],
    [{ raw: 'class/fvTenant.json?page=x&page-size=0' }, /^raw: page: must be a whole number from 0 on/],
    [{ raw: 'class/fvTenant.json?page=0' }, /^raw: page: needs page_size/],
    [{ raw: 'class/fvTenant.json?page-size=' }, /^raw: page-size: has no value/],
    [{ raw: 'class/fvTenant.json?query-target=subtre' }, /^raw: query-target: .*did you mean subtree/],
    [{ raw: 'class/fvTenant.json?rsp-subtree-include=helth' }, /^raw: .*did you mean health/],
    [{ raw: 'class/fvTenant.json?rsp-subtree-include=constructor' }, /^raw: rsp-subtree-include: must be one of/],
    [{ raw: 'class/fvTenant.json?target-subtree-class=fvBD' }, /^raw: target-subtree-class: needs query_target/],
    [{ raw: 'mo/uni.json?query-target=subtree&target-subtree-class=fv:BD' }, /^raw: .*without the colon: fvBD/],
    [{ raw: 'class/fvTenant.json?order-by=fvTenant.name|down' }, /^raw: order-by: /],
    [{ raw: 'class/fvTenant.json?query-target-filter=eq(name,"x")' }, /^raw: .*class before it: fvTenant.name/],
    [{ raw: 'class/fvTenant.json?query-target-filter=eq(fv:Tenant.name,"x")' }, /^raw: .*without the colon/],
    [
      { raw: 'class/fvTenant.json?query-target-filter=eq(fvTenant.name,"x"' },
      /^raw: query-target-filter: \) is expected/,
    ],
    [{ raw: 'class/fvTenant.json?query-target-filter=equal(fvTenant.name,"x")' }, /^raw: .*no such operator/],
    [{ raw: 'class/fvTenant.json?query-target-filter=contains(fvTenant.name,"x")' }, /^raw: .*wcard without a \*/],
    [{ raw: 'class/fvTenant.json?query-target-filter=eq(fvTenant.name,"a\\")' }, /^raw: /],
    [{ raw: 'class/fvTenant.json?query-target-filter=eq(fvTenant.name,my tenant)' }, /^raw: a blank in /],
    [{ raw: `class/fvTenant.json?query-target-filter=${'not('.repeat(99)}true()${')'.repeat(99)}` }, /^raw: .*nested/],
    [{ raw: 'class/fvTenant.json?refresh-timeout=600' }, /^raw: .*refresh_timeout/],
    [{ raw: 'class/aaaUser.json?url-token=fa47' }, /^raw: .*challenge_token/],
    [{ raw: 'class/fvTenant.json?page=0&page-size=1', page: 1, page_size: 1 }, /^page: raw has it already/],
    [{ raw: 'aaaRefresh.json' }, /^raw: aaaRefresh is the session's business/],
    [{ raw: 'subscriptionRefresh.json?id=72057611234574337' }, /^raw: /],
    [{ raw: 'POST https://192.0.20.123/api/mo/uni.xml' }, /^raw: POST changes something/],
    [{ raw: 'DELETE https://192.0.20.123/api/tag/orgs.xml' }, /^raw: DELETE changes something/],
  ])('%j', (question, message) => {
    for (const purpose of ['subscribe', 'ask'] as const) {
      const [first = 'taken', ...more] = refusal(question, purpose)
      expect(first).toMatch(message)
      expect(more.length).toBeLessThan(2)
    }
  })

  it('every problem is told, not only the first', () => {
    const raw = 'class/fvTenant.json?page=0&query-target=tree&query-target-filter=eq(name,"x")&order-by=x'
    expect(refusal({ raw }, 'ask').map(text => text.split(': ')[1])).toEqual([
      'query-target',
      'query-target-filter',
      'order-by',
      'page',
    ])
  })
})

describe('what only pushes forbid', () => {
  it.each<[Record<string, unknown>, RegExp]>([
    [{ class: 'dl2IngrBytes5min' }, /^class: .*statistics/],
    [{ raw: 'class/dl2IngrBytes5min.json' }, /^raw: class: .*statistics/],
    [{ mo: 'uni/tn-a', query_target: 'subtree', time_range: '24h' }, /^time_range: only log classes/],
    [
      { class: 'fvTenant', filter: { eq: ['fvTenant.descr', 'x'] }, rsp_prop_include: 'naming-only' },
      /^rsp_prop_include: opswire itself judges the filter/,
    ],
    [{ raw: 'aaaListDomains.json' }, /^raw: .*can't be subscribed/],
    [{ class: 'fvTenant', rsp_subtree_include: ['health', 'count'] }, /^rsp_subtree_include: .*no object to follow/],
    [{ raw: 'class/fvTenant.json?rsp-subtree-include=count' }, /^raw: .*no category for count/],
  ])('%j', (question, message) => {
    expect(refusal(question, 'subscribe')[0]).toMatch(message)
    expect(refusal(question, 'ask')).toEqual([])
  })
})

describe('what only a filter that is sent forbids', () => {
  it.each<[Record<string, unknown>, RegExp]>([
    [{ filter: { wcard: ['fvTenant.name', '*x'] } }, /^filter: .*leading \* of/],
    [{ filter: { not: { wcard: ['fvTenant.dn', 'uni/tn-*'] } } }, /^filter: .*wildcards in fvTenant.dn/],
  ])('%j', (options, message) => {
    expect(refusal({ class: 'fvTenant', ...options }, 'ask')[0]).toMatch(message)
    // Judged here, it is no matter.
    expect(refusal({ class: 'fvTenant', ...options }, 'subscribe')).toEqual([])
  })

  it('on a log class a subscription sends it, too', () => {
    expect(refusal({ class: 'eventRecord', filter: { wcard: ['eventRecord.descr', 'a*'] } }, 'subscribe')[0]).toMatch(
      /^filter: .*wildcards/,
    )
  })
})
