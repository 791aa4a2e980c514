/** A Debian package, unpacked where nothing but tar can be called. */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { dataMember, unpack } from '../../src/tools/unpack.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'opswire-deb-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** One member of an ar archive. */
function member(name: string, content: Buffer): Buffer {
  const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`
  return Buffer.concat([Buffer.from(header, 'latin1'), content, Buffer.alloc(content.length % 2, '\n')])
}

it('is read without dpkg', async () => {
  const sbin = join(home, 'tree', 'usr', 'sbin')
  await mkdir(sbin, { recursive: true })
  await writeFile(join(sbin, 'nats-server'), 'v2.9.10')
  execFileSync('tar', ['-czf', join(home, 'data.tar.gz'), '-C', join(home, 'tree'), '.'])
  const data = await readFile(join(home, 'data.tar.gz'))
  const control = Buffer.from('odd')
  const deb = Buffer.concat([
    Buffer.from('!<arch>\n'),
    member('debian-binary', Buffer.from('2.0\n')),
    member('control.tar.gz', control),
    member('data.tar.gz/', data),
  ])
  expect(dataMember(deb)).toEqual({ name: 'data.tar.gz', content: data })
  await writeFile(join(home, 'one.deb'), deb)
  const before = process.env['PATH']
  await mkdir(join(home, 'out'))
  // Only tar (and what it calls) on the path: no dpkg-deb.
  const tools = join(home, 'tools')
  await mkdir(tools)
  for (const tool of ['tar', 'gzip']) {
    const path = execFileSync('sh', ['-c', `command -v ${tool}`])
      .toString()
      .trim()
    await writeFile(join(tools, tool), `#!/bin/sh\nexec ${path} "$@"\n`, { mode: 0o755 })
  }
  process.env['PATH'] = tools
  try {
    await unpack(join(home, 'one.deb'), 'deb', join(home, 'out'))
  } finally {
    process.env['PATH'] = before
  }
  expect(await readFile(join(home, 'out/usr/sbin/nats-server'), 'utf8')).toBe('v2.9.10')
  for (const broken of [Buffer.from('no'), deb.subarray(0, 72), Buffer.from(`!<arch>\n${'x'.repeat(80)}`)]) {
    expect(() => dataMember(broken)).toThrow()
  }
})
