/** What the three simulators share: an HTTPS server on a free port, a certificate, a request body, a way to pass time. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { generate } from 'selfsigned'

/** How a simulator sees time. The daemon's clocks fit; tests pass one that they turn by hand. */
export interface Time {
  wall(): number
  now(): number
  after(ms: number, fn: () => void): () => void
  random(): number
}

export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** A self-signed certificate for localhost, good for a year and as its own CA file. A bare machine has no openssl. */
export async function makeCertificate(): Promise<Certificate> {
  const pems = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  return { key: pems.private, cert: pems.cert }
}

export interface RunningServer {
  /** `https://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
  readonly server: Server
  /** Cuts every open connection, as a dying process would; the server goes on listening. */
  cut(): void
  /** Shows this certificate from now on, and cuts every connection. Throws where there is no TLS. */
  certify(certificate: Certificate): void
  /** Stops listening and cuts every connection. */
  close(): Promise<void>
}

/** Listens on 127.0.0.1 (a free port unless one is given), with TLS when there is a certificate. */
export async function startServer(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  options: { readonly certificate?: Certificate | undefined; readonly port?: number | undefined },
): Promise<RunningServer> {
  const server =
    options.certificate === undefined ? createHttpServer(handler) : createTlsServer(options.certificate, handler)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `${options.certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    server,
    cut,
    certify: certificate => {
      if (!(server instanceof TlsServer)) throw new Error('it speaks no TLS')
      server.setSecureContext(certificate)
      cut()
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        cut()
      }),
  }
}

/** The whole request body as text. Rejects above `limit` bytes. */
export async function readBody(request: IncomingMessage, limit = 16 * 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > limit) throw new Error('request body too large')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}
