/** A TCP proxy in front of one server, that can swallow what comes back, and cut. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class Wire {
  readonly #server: Server
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  /** Drops what the server sends. */
  deaf = false
  /** Told of all that passes, in both directions. */
  onBytes: (chunk: Buffer) => void = () => undefined

  constructor(target: number) {
    this.#target = target
    this.#server = createServer(client => this.#take(client))
  }

  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port)
    await new Promise<void>(resolve => wire.#server.listen(0, '127.0.0.1', resolve))
    return wire
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #take(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1')
    const pass = (from: Socket, to: Socket, dropped: () => boolean): void => {
      this.#sockets.add(from)
      from.on('data', chunk => {
        this.onBytes(Buffer.from(chunk))
        if (!dropped()) to.write(chunk)
      })
      from.on('error', () => from.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
    pass(client, server, () => false)
    pass(server, client, () => this.deaf)
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }
}
