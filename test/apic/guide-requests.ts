/** Every request that the guide prints, as it prints it, and how opswire's config says the same. */

export interface GuideRequest {
  /** What it is there for: the name of its test. */
  readonly title: string
  /** As printed, line breaks and all. */
  readonly print: string
  /** A subscription or a question of the config, in YAML. */
  readonly yaml: string
  /** Names of the objects that the fabric of the test answers with, in their order; of a property where dn says little. */
  readonly shows: readonly string[]
  /** Only asked once: there is nothing to subscribe to. */
  readonly once?: true
}

/** GETs that ask for objects. */
export const QUESTIONS: readonly GuideRequest[] = [
  {
    title: 'a tenant by its DN',
    print: 'https://192.0.20.123/api/mo/uni/tn-ExampleCorp.xml',
    yaml: '{ mo: uni/tn-ExampleCorp }',
    shows: ['uni/tn-ExampleCorp'],
  },
  {
    title: 'a board sensor of a node',
    print: 'GET https://192.0.20.123/api/mo/topology/pod-1/node-1/sys/ch/bslot/board/sensor-3.json',
    yaml: '{ mo: topology/pod-1/node-1/sys/ch/bslot/board/sensor-3 }',
    shows: ['topology/pod-1/node-1/sys/ch/bslot/board/sensor-3'],
  },
  {
    title: 'every user',
    print: 'GET https://192.0.20.123/api/class/aaaUser.json',
    yaml: '{ class: aaaUser }',
    shows: ['uni/userext/user-admin', 'uni/userext/user-jadams', 'uni/userext/user-mwashington'],
  },
  {
    title: 'every user, with doubled slashes',
    print: 'GET //api/class/aaaUser.json\n HTTP/1.1',
    yaml: '{ class: aaaUser }',
    shows: ['uni/userext/user-admin', 'uni/userext/user-jadams', 'uni/userext/user-mwashington'],
  },
  {
    title: 'the login domains',
    print: 'GET https://192.0.20.123/api/aaaListDomains.json',
    yaml: '{ raw: aaaListDomains.json }',
    shows: ['ExampleRadius', 'local'],
    once: true,
  },
  {
    title: 'the firmware that runs, below its container',
    print:
      'GET https://192.0.20.123/api/class/firmwareIfcFwStatusCont.json?\n    query-target=subtree&target-subtree-class=firmwareIfcRunning',
    yaml: '{ class: firmwareIfcFwStatusCont, query_target: subtree, target_subtree_class: firmwareIfcRunning }',
    shows: ['ctrlrfwstatuscont/ifcrunning-1'],
  },
  {
    title: 'faults alone, out of a whole subtree',
    print:
      'https://192.0.20.123/api/mo/uni/tn-ExampleCorp.json?\nquery-target=subtree&rsp-subtree-include=fault,no-scoped',
    yaml: '{ mo: uni/tn-ExampleCorp, query_target: subtree, rsp_subtree_include: [fault, no-scoped] }',
    shows: ['uni/tn-ExampleCorp/ap-shop/epg-web/fault-F0467'],
  },
  {
    title: 'users by their last name',
    print:
      'GET https://192.0.20.123/api/class/aaaUser.json?\n      query-target-filter=eq(aaaUser.lastName,"Washington")',
    yaml: '{ class: aaaUser, filter: { eq: [aaaUser.lastName, Washington] } }',
    shows: ['uni/userext/user-admin', 'uni/userext/user-mwashington'],
  },
  {
    title: 'EPGs by their encapsulation',
    print:
      'GET https://192.0.20.123/api/class/fvAEPg.xml?\n    query-target-filter=eq(fvAEPg.fabEncap,"vxlan-12780288")',
    yaml: '{ class: fvAEPg, filter: { eq: [fvAEPg.fabEncap, vxlan-12780288] } }',
    shows: ['uni/tn-ExampleCorp/ap-shop/epg-web'],
  },
  {
    title: 'tenants whose health is below 50',
    print:
      'GET https://192.0.20.123/api/class/fvTenant.json?\n    rsp-subtree-include=health,required\n        &\n        rsp-subtree-filter=lt(healthInst.cur,"50")',
    yaml: '{ class: fvTenant, rsp_subtree_include: [health, required], rsp_subtree_filter: { lt: [healthInst.cur, 50] } }',
    shows: ['uni/tn-ExampleCorp'],
  },
  {
    title: 'EPGs of a tenant, with their faults',
    print:
      'GET https://192.0.20.123/api/mo/uni/tn-ExampleCorp.xml?\n    query-target=subtree\n        &\n        target-subtree-class=fvAEPg\n            &\n            rsp-subtree-include=faults',
    yaml: '{ mo: uni/tn-ExampleCorp, query_target: subtree, target_subtree_class: fvAEPg, rsp_subtree_include: faults }',
    shows: ['uni/tn-ExampleCorp/ap-shop/epg-web', 'uni/tn-ExampleCorp/ap-shop/epg-db'],
  },
  {
    title: 'security domains that are neither infra nor common',
    print:
      'GET https://192.0.20.123/api/class/aaaDomain.json?\n    query-target-filter=\n        and(ne(aaaDomain.name,"infra"),\n            ne(aaaDomain.name,"common"))',
    yaml: '{ class: aaaDomain, filter: { and: [{ ne: [aaaDomain.name, infra] }, { ne: [aaaDomain.name, common] }] } }',
    shows: ['uni/userext/domain-all', 'uni/userext/domain-mgmt'],
  },
  {
    title: 'users sorted by last name, then by first name',
    print: 'GET https://192.0.20.123/api/class/aaaUser.json?order-by=aaaUser.lastName|asc,aaaUser.firstName|asc',
    yaml: '{ class: aaaUser, order_by: [aaaUser.lastName|asc, aaaUser.firstName|asc] }',
    shows: ['uni/userext/user-jadams', 'uni/userext/user-admin', 'uni/userext/user-mwashington'],
  },
  {
    title: 'the first page of 15 faults, the worst first',
    print: 'GET https://192.0.20.123/api/class/faultInfo.json?order-by=faultInst.severity|desc&page=0&page-size=15',
    yaml: '{ class: faultInfo, order_by: faultInst.severity|desc, page: 0, page_size: 15 }',
    shows: [
      ...Array.from({ length: 14 }, (_, index) => `topology/pod-1/node-101/sys/fault-F${100 + index}`),
      'uni/tn-ExampleCorp/ap-shop/epg-web/fault-F0467',
    ],
  },
  {
    title: 'the tags of a tenant',
    print: 'GET https://192.0.20.123/api/tag/mo/uni/tn-ExampleCorp.xml',
    yaml: '{ raw: tag/mo/uni/tn-ExampleCorp.xml }',
    shows: ['uni/tn-ExampleCorp/tag-tenants', 'uni/tn-ExampleCorp/tag-orgs'],
  },
  {
    title: 'everything that carries a tag',
    print: 'GET https://192.0.20.123/api/tag/tenants.xml',
    yaml: '{ tag: tenants }',
    shows: ['uni/tn-ExampleCorp'],
  },
]

/** GETs of the session: what opswire sends by itself, and the key of the config that makes it so, if any. */
export const SESSION: readonly Omit<GuideRequest, 'shows'>[] = [
  {
    title: 'with the challenge token in the URL',
    print: 'GET https://192.0.20.123/api/class/aaaUser.json?url-token=fa47e44df54562c24fef6601dc...',
    yaml: 'challenge_token: url',
  },
  {
    title: 'with the challenge token in a header',
    print: 'GET //api/class/aaaUser.json HTTP/1.1 … APIC-challenge: fa47e44df54562c24fef6601dcff7225…',
    yaml: 'challenge_token: header',
  },
  {
    title: 'the session is refreshed',
    print: 'GET https://192.0.20.123/api/aaaRefresh.json',
    yaml: '(by itself)',
  },
  {
    title: 'a subscription to every tenant',
    print: 'GET https://192.0.20.123/api/class/fvTenant.json?subscription=yes',
    yaml: '{ class: fvTenant }',
  },
  {
    title: 'a subscription is refreshed',
    print: 'GET https://192.0.20.123/api/subscriptionRefresh.json?id=72057611234574337',
    yaml: '(by itself)',
  },
]

/** Commands, which opswire never sends; the simulator takes them. */
export const COMMANDS: readonly { readonly title: string; readonly print: string }[] = [
  {
    title: 'two tags are added',
    print: 'POST https://192.0.20.123/api/tag/mo/uni/tn-ExampleCorp.xml?add=tenants,orgs',
  },
  { title: 'a tag is removed', print: 'POST https://192.0.20.123/api/tag/mo/uni/tn-ExampleCorp.xml?remove=orgs' },
  { title: 'a tag is removed everywhere', print: 'DELETE https://192.0.20.123/api/tag/orgs.xml' },
]

/** `/api/class/…` of a print: closed up, without verb and host, escaped as documented. */
export function wireOf(print: string): string {
  return print
    .replace(/\s*HTTP\/1\.1.*$/s, '')
    .replace(/^(GET|POST|DELETE) /, '')
    .replace(/^https:\/\/[^/]+|^\//, '')
    .replace(/\s+/g, '')
    .replaceAll('"', '%22')
    .replace('=fault,', '=faults,')
}
