import { describe, expect, it } from 'vitest'
import {
  faultCodeOf,
  isBelow,
  ownerOf,
  parentOf,
  placeOf,
  resourceOf,
  segmentsOf,
} from '../../src/subscribers/apic/dn.ts'

describe('segments', () => {
  it.each([
    ['uni/tn-a/BD-b', ['uni', 'tn-a', 'BD-b']],
    [
      'topology/pod-1/node-101/sys/phys-[eth1/7]/phys',
      ['topology', 'pod-1', 'node-101', 'sys', 'phys-[eth1/7]', 'phys'],
    ],
    ['subj-[a/b-[c/d]/e]/rec-1', ['subj-[a/b-[c/d]/e]', 'rec-1']],
    ['a-[b/c', ['a-[b/c']],
    ['a]b/c', ['a]b', 'c']],
    ['', ['']],
  ])('%s', (dn, expected) => {
    expect(segmentsOf(dn)).toEqual(expected)
  })

  it('parent, and what stands below', () => {
    expect(parentOf('uni/tn-a/subnet-[10.0.0.1/24]')).toBe('uni/tn-a')
    expect(parentOf('uni')).toBe('')
    expect(isBelow('uni/tn-a/BD-b', 'uni/tn-a')).toBe(true)
    expect(isBelow('uni/tn-ab', 'uni/tn-a')).toBe(false)
    expect(isBelow('uni/tn-a', 'uni/tn-a')).toBe(false)
  })
})

describe('faults', () => {
  it.each([
    [
      'topology/pod-1/node-101/sys/phys-[eth1/7]/phys/fault-F1394',
      'F1394',
      'topology/pod-1/node-101/sys/phys-[eth1/7]/phys',
    ],
    ['uni/tn-a/fd-[topology/x-[uni/tn-b]/y]-fault-F0467', 'F0467', 'uni/tn-a'],
    ['topology/health', undefined, 'topology'],
    ['uni/tn-a', undefined, 'uni/tn-a'],
    ['/health', undefined, '/health'],
  ])('%s', (dn, code, owner) => {
    expect(faultCodeOf(dn)).toBe(code)
    expect(ownerOf(dn)).toBe(owner)
  })
})

describe('resource', () => {
  it.each<[string, Record<string, string>, string]>([
    ['topology', { kind: 'fabric' }, 'topology'],
    ['topology/pod-1', { kind: 'pod', pod: '1' }, 'pod-1'],
    ['topology/pod-1/node-101', { kind: 'node', pod: '1', node: '101' }, 'node-101'],
    [
      'topology/pod-1/node-101/sys/aggr-[po3]',
      { kind: 'interface', pod: '1', node: '101', interface: 'po3' },
      'node-101 po3',
    ],
    [
      'topology/pod-1/node-101/sys/phys-eth1/7/phys',
      { kind: 'interface', pod: '1', node: '101', interface: 'eth1/7' },
      'node-101 eth1/7',
    ],
    ['uni/phys-mydomain', { kind: 'domain', domain: 'mydomain' }, 'domain mydomain'],
    [
      'uni/tn-a/ap-s/epg-w/rsdomAtt-[uni/vmmp-VMware/dom-vds]',
      { kind: 'epg', tenant: 'a', application: 's', epg: 'w', domain: 'vds' },
      'tenant a, application s, EPG w, domain vds',
    ],
    [
      'topology/pod-1/paths-101/extpaths-110/pathep-[eth1/12]',
      { kind: 'interface', pod: '1', node: '101', fex: '110', interface: 'eth1/12' },
      'node-101 fex-110 eth1/12',
    ],
    [
      'topology/pod-1/node-101/sys/extch-110/psuslot-1',
      { kind: 'fex', pod: '1', node: '101', fex: '110' },
      'node-101 fex-110',
    ],
    [
      'topology/pod-1/node-101/sys/lldp/inst/if-[eth1/49]/adj-1',
      { kind: 'interface', pod: '1', node: '101', interface: 'eth1/49' },
      'node-101 eth1/49',
    ],
    [
      'uni/tn-a/ap-s/epg-w/cep-00:11:22:33:44:55/ip-[10.0.0.5]',
      { kind: 'ip', tenant: 'a', application: 's', epg: 'w', endpoint: '00:11:22:33:44:55', ip: '10.0.0.5' },
      'tenant a, application s, EPG w, endpoint 00:11:22:33:44:55, IP 10.0.0.5',
    ],
    [
      'uni/epp/fv-[uni/tn-a/ap-s/epg-w]/node-101/stpathatt-[eth1/7]/nwissues',
      { kind: 'interface', node: '101', interface: 'eth1/7', tenant: 'a', application: 's', epg: 'w' },
      'tenant a, application s, EPG w (node-101 eth1/7)',
    ],
    ['uni/x/if-[uni/tn-a/BD-b]', { kind: 'bd', tenant: 'a', bd: 'b' }, 'tenant a, BD b'],
    ['uni/tn-a-b/ctx-v', { kind: 'vrf', tenant: 'a-b', vrf: 'v' }, 'tenant a-b, VRF v'],
    [
      'uni/tn-a/out-L/instP-all',
      { kind: 'externalEpg', tenant: 'a', l3out: 'L', externalEpg: 'all' },
      'tenant a, L3Out L, external EPG all',
    ],
    [
      'uni/tn-a/BD-b/subnet-[10.0.0.1/24]',
      { kind: 'subnet', tenant: 'a', bd: 'b', subnet: '10.0.0.1/24' },
      'tenant a, BD b, subnet 10.0.0.1/24',
    ],
    [
      'subj-[uni/tn-a/ap-s/epg-w]/mod-1',
      { kind: 'epg', tenant: 'a', application: 's', epg: 'w' },
      'tenant a, application s, EPG w',
    ],
    [
      'uni/tn-a/ap-s/epg-w/rspathAtt-[topology/pod-1/protpaths-101-102/pathep-[vpc_1]]',
      { kind: 'epg', tenant: 'a', application: 's', epg: 'w', pod: '1', node: '101-102', interface: 'vpc_1' },
      'tenant a, application s, EPG w (node-101-102 vpc_1)',
    ],
    [
      'topology/pod-1/node-101/local/svc-policyelem-id-0/uni/epp/fv-[uni/tn-T/ap-A/epg-E]',
      { kind: 'node', pod: '1', node: '101', tenant: 'T', application: 'A', epg: 'E' },
      'tenant T, application A, EPG E (node-101)',
    ],
    ['uni/userext/user-alice', { kind: 'user', user: 'alice' }, 'user alice'],
  ])('%s', (dn, expected, place) => {
    const resource = resourceOf(dn)
    expect(resource).toEqual({ ...expected, id: dn })
    expect(placeOf(resource)).toBe(place)
  })

  it.each(['', '/', '[', ']', '[[[[', '-', 'tn-', 'phys-[', 'a/b-[c]]]/d', '['.repeat(5000), `${'a-['.repeat(5000)}x`])(
    'never throws: %j',
    dn => {
      expect(resourceOf(dn).id).toBe(dn)
    },
  )
})
