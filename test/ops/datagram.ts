/** A unix datagram socket to receive on, by libc through node:ffi: Node has none of its own. Linux with glibc only. */

const AF_UNIX = 1
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 0o2 | 0o4000 | 0o2000000

export interface DatagramSocket {
  /** The next datagram, or undefined while none waits. */
  receive(): string | undefined
  close(): void
}

/** Binds `path`. Gives the reason, as a text, where this can't be done. */
export function bindDatagram(path: string): DatagramSocket | string {
  if (process.platform !== 'linux') return `no sockaddr_un as on Linux (${process.platform})`
  try {
    const ffi = process.getBuiltinModule('node:ffi')
    const libc = ffi.dlopen('libc.so.6', {
      socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
      bind: { arguments: ['i32', 'pointer', 'u32'], return: 'i32' },
      recv: { arguments: ['i32', 'pointer', 'u64', 'i32'], return: 'i64' },
      close: { arguments: ['i32'], return: 'i32' },
    })
    const address = Buffer.alloc(110)
    address.writeUInt16LE(AF_UNIX, 0)
    if (address.write(path, 2) > 107) return `the path ${path} is too long for a socket`
    const fd = libc.functions.socket(AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0)
    if (fd < 0) return 'socket() failed'
    if (libc.functions.bind(fd, address, address.length) !== 0) return 'bind() failed'
    const buffer = Buffer.alloc(65_536)
    return {
      receive() {
        const length = Number(libc.functions.recv(fd, buffer, BigInt(buffer.length), 0))
        return length < 0 ? undefined : buffer.toString('utf8', 0, length)
      },
      close: () => void libc.functions.close(fd),
    }
  } catch (error) {
    return `node:ffi can't call libc here (${String(error)})`
  }
}
