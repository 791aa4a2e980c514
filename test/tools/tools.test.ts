import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PACKAGES, type Package, type ToolName } from '../../src/tools/catalogue.ts'
import { download } from '../../src/tools/download.ts'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { fits, resolveTool } from '../../src/tools/resolve.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { notRun } from '../support/tools.ts'

let home: string
const teardown: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'opswire-tools-'))
  teardown.push(() => rm(home, { recursive: true, force: true }))
})

afterEach(async () => {
  for (const step of teardown.splice(0).reverse()) await step()
})

const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

/** A program that says it is this version. */
async function pretend(directory: string, version: string, name = 'nats-server'): Promise<string> {
  await mkdir(directory, { recursive: true })
  const path = join(directory, name)
  await writeFile(path, `#!/bin/sh\necho "${name}: v${version}"\n`)
  await chmod(path, 0o755)
  return path
}

/** A release archive with such a program in it. */
async function archive(version: string): Promise<Buffer> {
  const folder = `nats-server-v${version}`
  await pretend(join(home, folder), version)
  const file = join(home, `${folder}.tar.gz`)
  execFileSync('tar', ['-czf', file, '-C', home, folder])
  return readFile(file)
}

/** Serves files by path; counts requests. */
async function site(files: Record<string, Buffer | string>) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const content = files[path]
    if (content === undefined) response.writeHead(404).end()
    else if (typeof content === 'string' && content.startsWith('/'))
      response.writeHead(302, { location: content }).end()
    else response.end(content)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  teardown.push(() => new Promise(resolve => server.close(resolve)))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { asked, url: `http://127.0.0.1:${address.port}` }
}

function release(url: string, version: string, more: Partial<Package> = {}): Package {
  const { platform, arch } = process
  return { version, platform, arch, url, form: 'tar.gz', programs: ['nats-server'], ...more }
}

function options(packages: readonly Package[], env: NodeJS.ProcessEnv = {}) {
  const said: string[] = []
  return {
    said,
    resolve: {
      packages,
      say: (line: string) => said.push(line),
      env: { OPSWIRE_TOOLS_DIR: join(home, 'cache'), ...env },
    },
  }
}

describe('versions', () => {
  it.each([
    ['2.12.0', { atLeast: '2.12' }, true],
    ['2.9.10', { atLeast: '2.12' }, false],
    ['2.15.1', { atLeast: '2.9.10' }, true],
    ['2.9.9', { atLeast: '2.9.10' }, false],
    ['3.0.0', { atLeast: '2.12' }, true],
    ['2.9.10', { exactly: '2.9.10' }, true],
    ['2.9.11', { exactly: '2.9.10' }, false],
    ['0.25.0', { atLeast: '0.25' }, true],
    ['0.25.0', { atLeast: '0.28' }, false],
  ])('%s for %o: %s', (version, wanted, expected) => {
    expect(fits(version, wanted)).toBe(expected)
  })
})

describe('the resolver', () => {
  it('takes NATS_SERVER_BIN first, then PATH, if the version will do', async () => {
    const chosen = await pretend(join(home, 'chosen'), '2.12.1')
    const onPath = await pretend(join(home, 'path'), '2.10.2')
    const env = { NATS_SERVER_BIN: chosen, PATH: `${join(home, 'nowhere')}:${join(home, 'path')}:/usr/bin:/bin` }
    const { resolve } = options([], env)
    expect(await resolveTool('nats-server', {}, resolve)).toEqual({ path: chosen, version: '2.12.1' })
    expect(await resolveTool('nats-server', { exactly: '2.10.2' }, resolve)).toEqual({
      path: onPath,
      version: '2.10.2',
    })
    expect(await resolveTool('nats-server', { atLeast: '2.14' }, resolve)).toEqual({
      missing: `no nats-server 2.14 or newer: NATS_SERVER_BIN is 2.12.1; nats-server on PATH is 2.10.2; none is known for ${process.platform} ${process.arch}`,
    })
  })

  it('fetches once, checks, and finds it in the cache after that', async () => {
    const content = await archive('2.14.0')
    const { url, asked } = await site({ '/moved': '/archive', '/archive': content })
    const { resolve, said } = options([
      release(`${url}/gone`, '2.15.0', { sha256: 'f'.repeat(64) }),
      release(`${url}/moved`, '2.14.0', { sha256: sha256(content) }),
    ])
    const found = await resolveTool('nats-server', {}, resolve)
    expect(found).toMatchObject({ version: '2.14.0' })
    expect(await resolveTool('nats-server', {}, resolve)).toEqual(found)
    expect(asked).toEqual(['/gone', '/moved', '/archive'])
    expect(said.at(-1)).toContain('SHA-256 as pinned')
    expect((await readdir(join(home, 'cache', 'nats-server'))).length).toBe(1)
  })

  it('refuses what is not what was pinned, and leaves nothing of it', async () => {
    const content = await archive('2.14.0')
    const { url } = await site({ '/archive': content })
    const { resolve } = options([release(`${url}/archive`, '2.14.0', { sha256: '0'.repeat(64) })])
    const found = await resolveTool('nats-server', { atLeast: '2.12' }, resolve)
    expect(found).toEqual({
      missing: expect.stringContaining(`archive has SHA-256 ${sha256(content)}, not ${'0'.repeat(64)}`),
    })
    expect(await readdir(join(home, 'cache', 'nats-server'))).toEqual([])
  })

  it('goes by the published digest where none is pinned', async () => {
    const content = await archive('2.14.0')
    const lines = (sum: string): Buffer => Buffer.from(`${'1'.repeat(64)}  other.zip\n${sum}  archive.tar.gz\n`)
    const good = await site({ '/archive.tar.gz': content, '/SHA256SUMS': lines(sha256(content)) })
    const bad = await site({ '/archive.tar.gz': content, '/SHA256SUMS': lines('2'.repeat(64)) })
    const { resolve, said } = options([
      release(`${bad.url}/archive.tar.gz`, '2.14.1'),
      release(`${good.url}/archive.tar.gz`, '2.14.0'),
    ])
    expect(await resolveTool('nats-server', {}, resolve)).toMatchObject({ version: '2.14.0' })
    expect(said.at(-1)).toContain('SHA-256 as published')
  })

  it('throws away a cached binary that was changed', async () => {
    const content = await archive('2.14.0')
    const pin = sha256(await readFile(join(home, 'nats-server-v2.14.0', 'nats-server')))
    const binarySha256 = { 'nats-server': pin }
    const { url, asked } = await site({ '/archive': content })
    const { resolve } = options([release(`${url}/archive`, '2.14.0', { sha256: sha256(content), binarySha256 })])
    const found = await resolveTool('nats-server', {}, resolve)
    if (!('path' in found)) throw new Error(found.missing)
    await writeFile(found.path, '#!/bin/sh\necho "nats-server: v2.14.0 with a change"\n')
    expect(await resolveTool('nats-server', {}, resolve)).toEqual(found)
    expect(asked.length).toBe(2)
    expect(sha256(await readFile(found.path))).toBe(pin)
  })

  it('may run many times at once', async () => {
    const content = await archive('2.14.0')
    const { url } = await site({ '/archive': content })
    const { resolve } = options([release(`${url}/archive`, '2.14.0', { sha256: sha256(content) })])
    const all = await Promise.all(Array.from({ length: 8 }, () => resolveTool('nats-server', {}, resolve)))
    expect(new Set(all.map(one => JSON.stringify(one))).size).toBe(1)
    expect(all[0]).toMatchObject({ version: '2.14.0' })
    expect((await readdir(join(home, 'cache', 'nats-server'))).length).toBe(1)
  })

  it('takes nothing away that another one has just put there', async () => {
    const content = await archive('2.14.0')
    const { url } = await site({ '/archive': content })
    for (let round = 0; round < 6; round++) {
      const { resolve } = options([release(`${url}/archive`, '2.14.0', { sha256: sha256(content) })], {
        OPSWIRE_TOOLS_DIR: join(home, `cache-${round}`),
      })
      let there = false
      const first = resolveTool('nats-server', {}, resolve).finally(() => {
        there = true
      })
      // Some of these look into the cache just when the first one's file appears there.
      const others: ReturnType<typeof resolveTool>[] = []
      await until(() => others.push(resolveTool('nats-server', {}, resolve)) > 25 || there, 'the first one is done')
      for (const found of await Promise.all([first, ...others])) expect(found).toMatchObject({ version: '2.14.0' })
    }
  })

  it('fetches an archive of several programs once for all of them, each checked', async () => {
    const folder = join(home, 'prometheus-3.5.0.linux-amd64')
    const server = await pretend(folder, '3.5.0', 'prometheus')
    await pretend(folder, '3.5.0', 'promtool')
    await pretend(join(folder, 'completions'), '3.5.0', 'promtool')
    await chmod(join(folder, 'completions', 'promtool'), 0o644)
    execFileSync('tar', ['-czf', join(home, 'prometheus.tar.gz'), '-C', home, 'prometheus-3.5.0.linux-amd64'])
    const content = await readFile(join(home, 'prometheus.tar.gz'))
    const sums = Buffer.from(`${sha256(content)}  prometheus.tar.gz\n`)
    const { url, asked } = await site({ '/prometheus.tar.gz': content, '/sha256sums.txt': sums })
    const binarySha256 = { prometheus: sha256(await readFile(server)) }
    const one = release(`${url}/prometheus.tar.gz`, '3.5.0', {
      programs: ['prometheus', 'promtool'],
      sums: 'sha256sums.txt',
      binarySha256,
    })
    const { resolve } = options([one, release(`${url}/another`, '3.6.0')])
    const found = await Promise.all([resolveTool('promtool', {}, resolve), resolveTool('promtool', {}, resolve)])
    expect(found[0]).toMatchObject({ version: '3.5.0', path: expect.stringMatching(/\/promtool$/) })
    const before = asked.length
    expect(await resolveTool('prometheus', {}, resolve)).toMatchObject({ version: '3.5.0' })
    expect(asked.length).toBe(before)
    const changed = options([{ ...one, binarySha256: { promtool: '0'.repeat(64) } }], {
      OPSWIRE_TOOLS_DIR: join(home, 'other'),
    })
    expect(await resolveTool('prometheus', {}, changed.resolve)).toEqual({
      missing: expect.stringContaining('the promtool in prometheus.tar.gz is not the pinned one'),
    })
  })

  it('takes the program of a package, not its init script', async () => {
    const tree = join(home, 'tree')
    await pretend(join(tree, 'etc', 'init.d'), '0.0.1', 'prometheus')
    await pretend(join(tree, 'usr', 'bin'), '3.5.0', 'prometheus')
    await pretend(join(tree, 'usr', 'lib'), '0.0.2', 'prometheus')
    execFileSync('tar', ['-czf', join(home, 'prometheus.tar.gz'), '-C', tree, 'etc', 'usr'])
    const content = await readFile(join(home, 'prometheus.tar.gz'))
    const { url } = await site({ '/archive': content })
    const one = release(`${url}/archive`, '3.5.0', { programs: ['prometheus'], sha256: sha256(content) })
    expect(await resolveTool('prometheus', {}, options([one]).resolve)).toMatchObject({ version: '3.5.0' })
  })

  it('starts a program that looks below /usr/share where its own files lie there', async () => {
    const own = spawnSync('unshare', [process.getuid?.() === 0 ? '--mount' : '--map-root-user', '--mount', 'true'])
    if (own.status !== 0) return notRun('a mount namespace of its own is not allowed here')
    const tree = join(home, 'tree')
    await mkdir(join(tree, 'usr', 'bin'), { recursive: true })
    await mkdir(join(tree, 'usr', 'share', 'opswire-tools-test'), { recursive: true })
    const script =
      '#!/bin/sh\necho "alertmanager $(cat /usr/share/opswire-tools-test/version)"\nif [ $# = 2 ]; then echo "$1" > "$2"; fi\n'
    await writeFile(join(tree, 'usr', 'bin', 'prometheus-alertmanager'), script, { mode: 0o755 })
    await writeFile(join(tree, 'usr', 'share', 'opswire-tools-test', 'version'), '0.33.1')
    execFileSync('tar', ['-czf', join(home, 'alertmanager.tar.gz'), '-C', tree, 'usr'])
    const content = await readFile(join(home, 'alertmanager.tar.gz'))
    const { url, asked } = await site({ '/archive': content })
    const more = { programs: ['alertmanager'], usrShare: ['alertmanager'], sha256: sha256(content) } as const
    const { resolve } = options([release(`${url}/archive`, '0.33.1', more)])
    const found = await resolveTool('alertmanager', {}, resolve)
    if (!('path' in found)) throw new Error(found.missing)
    execFileSync(found.path, ['a word  and another', join(home, 'said')])
    expect(await readFile(join(home, 'said'), 'utf8')).toBe('a word  and another\n')
    await expect(readdir('/usr/share/opswire-tools-test')).rejects.toThrow('ENOENT')
    // What starts it is held against what it should be, like the program.
    await writeFile(found.path, '#!/bin/sh\necho 0.33.1\n')
    expect(await resolveTool('alertmanager', {}, resolve)).toEqual(found)
    expect(asked.length).toBe(2)
    expect(await readFile(found.path, 'utf8')).toContain('unshare')
  })

  it('knows a program by each of its names', async () => {
    const onPath = await pretend(join(home, 'path'), '0.28.1', 'prometheus-alertmanager')
    const { resolve } = options([], { PATH: join(home, 'path'), AMTOOL_BIN: join(home, 'nothing') })
    expect(await resolveTool('alertmanager', {}, resolve)).toEqual({ path: onPath, version: '0.28.1' })
    expect(await resolveTool('alertmanager', { atLeast: '0.30' }, resolve)).toEqual({
      missing: `no alertmanager 0.30 or newer: prometheus-alertmanager on PATH is 0.28.1; none is known for ${process.platform} ${process.arch}`,
    })
    expect(await resolveTool('amtool', {}, resolve)).toEqual({
      missing: expect.stringMatching(/^no amtool 0\.25 or newer: AMTOOL_BIN does not run/),
    })
  })

  it('goes through the proxy of the environment', async () => {
    const { url, asked } = await site({ 'http://release.invalid/file': Buffer.from('through the proxy') })
    const before = process.env['HTTP_PROXY']
    process.env['HTTP_PROXY'] = url
    try {
      const digest = await download(new ManualClock(), 'http://release.invalid/file', join(home, 'file'))
      expect(digest).toBe(sha256(Buffer.from('through the proxy')))
      expect(asked).toEqual(['http://release.invalid/file'])
    } finally {
      if (before === undefined) delete process.env['HTTP_PROXY']
      else process.env['HTTP_PROXY'] = before
    }
  })

  it('gives up on a server that falls silent', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200)
      response.write('a beginning')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    teardown.push(() => new Promise(resolve => server.close(resolve)))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const clock = new ManualClock()
    const file = join(home, 'file')
    const failed = download(clock, `http://127.0.0.1:${address.port}/`, file).catch((error: Error) => error.message)
    await until(() => server.connections !== 0, 'connected')
    await clock.advance(15_000)
    expect(await failed).toBe('silent for 15000 ms')
    expect(clock.waiting).toBe(0)
  })

  it('has a pinned package of every tool for Linux, of nats-server the newest and the oldest tested', () => {
    for (const arch of ['x64', 'arm64']) {
      const pinned = (tool: ToolName): (string | undefined)[] =>
        PACKAGES.filter(one => one.platform === 'linux' && one.arch === arch && one.programs.includes(tool))
          .filter(one => /^[0-9a-f]{64}$/.test(one.sha256 ?? ''))
          .filter(one => one.form === 'tar.gz' || /^[0-9a-f]{64}$/.test(one.binarySha256?.[tool] ?? ''))
          .map(one => one.version)
      expect(pinned('nats-server')).toEqual(['2.14.5', '2.15.1', '2.10.27', '2.9.10'])
      for (const tool of ['prometheus', 'promtool'] as const) expect(pinned(tool)).toEqual(['3.5.3', '2.53.3'])
      for (const tool of ['alertmanager', 'amtool'] as const) expect(pinned(tool)).toEqual(['0.33.1', '0.28.1'])
    }
  })
})

describe('a nats-server', () => {
  it('starts, comes back on its port and store, and leaves nothing', async ({ skip }) => {
    const binary = await natsBinary(NEWEST, skip)
    const nats = await startNatsServer({ binary })
    teardown.push(() => nats.remove())
    const { port, pid } = nats
    expect(nats.url).toBe(`nats://127.0.0.1:${port}`)
    await nats.restart()
    expect(nats.port).toBe(port)
    expect(nats.pid).not.toBe(pid)
    await nats.kill()
    expect(nats.pid).toBeUndefined()
    await nats.remove()
    await expect(readdir(nats.storeDir)).rejects.toThrow('ENOENT')
  })

  it('says why it does not start', async ({ skip }) => {
    const binary = await natsBinary(NEWEST, skip)
    await expect(startNatsServer({ binary, config: 'nonsense: {' })).rejects.toThrow(/ended with code 1/)
    await expect(startNatsServer({ binary: join(home, 'nothing') })).rejects.toThrow('ENOENT')
  })
})
