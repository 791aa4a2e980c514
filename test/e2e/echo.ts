/** A server that says back whatever it is told, in every field where a system explains an error: the worst that a source can do with our secrets. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type RunningServer, readBody, startServer } from '../../src/simulators/server.ts'

export interface EchoOptions {
  /** Every login works and gives these tokens; left out: every login is refused. */
  readonly granting?: {
    readonly apic: string
    readonly challenge: string
    readonly raas: string
    readonly xsrf: string
    readonly vcd: string
  }
}

export interface Echo extends RunningServer {
  /** Every path that was asked for. */
  readonly asked: string[]
}

const STATUSES = [400, 401, 403, 500, 404]

const VERSIONS = `<?xml version="1.0"?><SupportedVersions xmlns="http://www.vmware.com/vcloud/versions"><VersionInfo deprecated="false"><Version>38.1</Version><LoginUrl>x</LoginUrl></VersionInfo></SupportedVersions>`

/** Answers as APIC, RaaS, the cloud console or Cloud Director would, whichever is asked. */
export async function startEcho({ granting }: EchoOptions): Promise<Echo> {
  const asked: string[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request)
    const path = request.url ?? ''
    asked.push(path)
    const heard = `you said ${request.method} ${path} ${request.rawHeaders.join(' ')} ${body}`
    const json = (status: number, value: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
    }
    if (path === '/api/versions') {
      response.writeHead(200, { 'content-type': 'application/xml' }).end(VERSIONS)
      return
    }
    if (request.method === 'GET' && path.startsWith('/account/login')) {
      const xsrf = granting?.xsrf ?? 'x'
      return json(200, {}, { 'set-cookie': `_xsrf=${xsrf}`, 'x-xsrftoken': xsrf })
    }
    if (granting !== undefined) {
      if (/aaaLogin/.test(path)) {
        const attributes = {
          token: granting.apic,
          urlToken: granting.challenge,
          userName: 'svc',
          refreshTimeoutSeconds: '600',
          maximumLifetimeSeconds: '86400',
        }
        return json(
          200,
          { totalCount: '1', imdata: [{ aaaLogin: { attributes } }] },
          { 'set-cookie': `APIC-cookie=${granting.apic}` },
        )
      }
      if (path.startsWith('/account/login'))
        return json(200, { jwt: granting.raas, authenticated: true, attributes: {} })
      if (/api-tokens\/authorize/.test(path))
        return json(200, { access_token: granting.raas, token_type: 'bearer', expires_in: 1799 })
      if (/oauth/.test(path))
        return json(200, { access_token: granting.vcd, token_type: 'Bearer', expires_in: 3600, refresh_token: null })
    }
    // Some refuse with 200.
    if (/\/rpc$/.test(path) && asked.length % 2 === 0) {
      return json(200, { riq: 1, ret: null, error: { code: 3000, message: heard, detail: { [heard]: heard } } })
    }
    const status = granting === undefined ? 401 : (STATUSES[asked.length % STATUSES.length] ?? 500)
    json(status, {
      imdata: [{ error: { attributes: { code: '401', text: heard } } }],
      errors: [{ title: heard, message: heard, detail: heard }],
      error: 'invalid_grant',
      error_description: heard,
      minorErrorCode: heard,
      message: heard,
      stackTrace: heard,
    })
  }
  const running = await startServer((request, response) => {
    void answer(request, response)
  }, {})
  // Sockets are refused with the same words, in the reason phrase too.
  running.server.on('upgrade', (request, socket) => {
    const heard = `${request.url} ${request.headers.cookie ?? ''}`.replace(/[\r\n]/g, ' ')
    socket.end(
      `HTTP/1.1 403 ${heard}\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(heard)}\r\n\r\n${heard}`,
    )
  })
  return { ...running, asked }
}
