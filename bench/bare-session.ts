/** The least that an APIC asks for before it pushes: a login, and a subscription when the socket is open. */

export interface Frame {
  readonly imdata: readonly Record<string, { readonly attributes: Record<string, string> }>[]
}

/** The token. NODE_EXTRA_CA_CERTS must name the fabric's certificate. */
export async function login(fabric: string): Promise<string> {
  const answer = await fetch(`${fabric}/api/aaaLogin.json`, {
    method: 'POST',
    body: JSON.stringify({ aaaUser: { attributes: { name: 'bench', pwd: 'bench' } } }),
  })
  const granted = (await answer.json()) as Frame
  return granted.imdata[0]?.['aaaLogin']?.attributes['token'] ?? ''
}

export const socketUrl = (fabric: string, token: string): string => `${fabric.replace('https', 'wss')}/socket${token}`

/** What is there now. */
export async function subscribe(fabric: string, token: string, cls: string): Promise<Frame> {
  const answer = await fetch(`${fabric}/api/class/${cls}.json?subscription=yes`, {
    headers: { cookie: `APIC-cookie=${token}` },
  })
  if (!answer.ok) throw new Error(`subscribing: HTTP ${answer.status}`)
  return (await answer.json()) as Frame
}
