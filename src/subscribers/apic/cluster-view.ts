/**
 * A controller that was cut off from the others goes on answering, from what it knew then, and pushes nothing: to a
 * canary that compares both it looks like a quiet fabric. But each controller keeps a view of its cluster, below its own
 * node: `topology/pod-P/node-N/av/node-M` (infraWiNode) is how N sees M, with `operSt` `available` or not. (Sources:
 * datacenter/ACI-Pre-Upgrade-Validation-Script, which prints both as «seen by» and «affected», and Cisco's health checks,
 * which ask exactly this; Cisco's guide to stretched fabrics: a controller in the minority is read-only. That such a
 * view is kept up while the rest is old is our inference.)
 */
import type { Core } from './core.ts'

/** How a controller sees its cluster. */
export interface ClusterView {
  /** `topology/pod-1/node-1` */
  readonly node: string
  readonly members: number
  readonly available: number
}

/** True when it can't be part of a majority: the rest of the cluster goes on without it. */
export function isCutOff({ members, available }: ClusterView): boolean {
  return members > 1 && available * 2 <= members
}

/** Asks the session's controller for its view. Undefined when it has none to show. Throws what the question throws. */
export async function readClusterView({ client, signal }: Core): Promise<ClusterView | undefined> {
  const { node } = client.grant
  if (node === undefined) return undefined
  const path = `/api/mo/${node}/av.json?query-target=children&target-subtree-class=infraWiNode`
  const answer = await client.get(path, 'query', signal)
  const views = answer.objects.filter(
    ({ cls, attributes }) => cls === 'infraWiNode' && attributes['dn']?.startsWith(`${node}/av/`) === true,
  )
  if (views.length === 0) return undefined
  const available = views.filter(({ attributes }) => attributes['operSt'] === 'available').length
  return { node, members: views.length, available }
}
