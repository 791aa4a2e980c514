/** Which tools there are, and from where each can be had: checked-in digests, one row a package. */
import { MONITORING } from './catalogue-monitoring.ts'

export interface Tool {
  /** The environment variable that names the program to take. */
  readonly variable: string
  /** The names of the program: on PATH, and in the archives. */
  readonly files: readonly [string, ...string[]]
  /** Lowest version that will do where nothing else is asked. */
  readonly atLeast: string
}

export type ToolName = 'nats-server' | 'prometheus' | 'promtool' | 'alertmanager' | 'amtool'

export const TOOLS: Readonly<Record<ToolName, Tool>> = {
  'nats-server': { variable: 'NATS_SERVER_BIN', files: ['nats-server'], atLeast: '2.9' },
  prometheus: { variable: 'PROMETHEUS_BIN', files: ['prometheus'], atLeast: '2.42' },
  promtool: { variable: 'PROMTOOL_BIN', files: ['promtool'], atLeast: '2.42' },
  alertmanager: { variable: 'ALERTMANAGER_BIN', files: ['alertmanager', 'prometheus-alertmanager'], atLeast: '0.25' },
  amtool: { variable: 'AMTOOL_BIN', files: ['amtool'], atLeast: '0.25' },
}

export interface Package {
  readonly version: string
  readonly platform: NodeJS.Platform
  readonly arch: NodeJS.Architecture
  readonly url: string
  /** `deb`: the programs are in `usr/bin` or `usr/sbin`; `tar.gz`: they are in the one folder inside. */
  readonly form: 'deb' | 'tar.gz'
  /** What is kept of it: an archive with two programs is fetched once for both. The first names its folder in the cache. */
  readonly programs: readonly [ToolName, ...ToolName[]]
  /** Programs that open files at a fixed place below /usr/share: they are started with the package's own bound there (`bound.ts`). */
  readonly usrShare?: readonly ToolName[]
  /** SHA-256 of the archive; without it the release's own list of digests decides, over TLS. */
  readonly sha256?: string
  /** That list, beside the archive. `SHA256SUMS` unless told otherwise. */
  readonly sums?: string
  /** SHA-256 of the unpacked programs, where they are known: the cache is checked against them at each use. */
  readonly binarySha256?: Readonly<Partial<Record<ToolName, string>>>
}

const RELEASES = 'https://github.com/nats-io/nats-server/releases/download'
const POOL = 'http://deb.debian.org/debian/pool/main/n/nats-server'

/** One release archive. The Linux digests are those that the project's own container builds pin. */
function release(version: string, platform: 'linux' | 'darwin', arch: 'x64' | 'arm64', sha256?: string): Package {
  const name = `nats-server-v${version}-${platform}-${arch === 'x64' ? 'amd64' : 'arm64'}.tar.gz`
  const url = `${RELEASES}/v${version}/${name}`
  const pin = sha256 === undefined ? {} : { sha256 }
  return { version, platform, arch, url, form: 'tar.gz', programs: ['nats-server'], ...pin }
}

/** One Debian package; digests from the archive's Packages index, and of the binary inside. */
function debian(version: string, revision: string, arch: 'x64' | 'arm64', sha256: string, binary: string): Package {
  const url = `${POOL}/nats-server_${version}-${revision}_${arch === 'x64' ? 'amd64' : 'arm64'}.deb`
  const pins = { sha256, binarySha256: { 'nats-server': binary } }
  return { version, platform: 'linux', arch, url, form: 'deb', programs: ['nats-server'], ...pins }
}

/** In the order in which they are tried. */
export const PACKAGES: readonly Package[] = [
  release('2.14.5', 'linux', 'x64', '5e3b603d47c447bda1f77f9ac16dbf91c90aac4ff3681f8fbbc7201e4ed99355'),
  release('2.14.5', 'linux', 'arm64', '673a98d3faa79dde3f9ebf16d6dfac36a5f694e7ad2015e4954dd7939c85cd4c'),
  release('2.14.5', 'darwin', 'arm64'),
  release('2.14.5', 'darwin', 'x64'),
  debian(
    '2.15.1',
    '1',
    'x64',
    '31ef4ceaa84e8248d449e508472e3770c17c3695cb5cb0ee96e03912724ea884',
    '25379e8f6ff59d0f9b96f06b3572da8c513dfe97fe54f693bb03aa802b87480c',
  ),
  debian(
    '2.15.1',
    '1',
    'arm64',
    '68923b614b6b5594bbd63ffdce7258c2155ec448fb4cb7efd099bf9273eca128',
    '792547acbcf5abcea0c2229a55d1f372f4134349582cb7203c17808c7770e8a8',
  ),
  debian(
    '2.10.27',
    '1+b2',
    'x64',
    '6d913ac987b78734c08537c2adeb1526cf735f216173a9170d94b185fcfe6f8a',
    '732483147000b6f44a05cf8542b61e8fa90279b6aa050328c392dbcdf87d1947',
  ),
  debian(
    '2.10.27',
    '1+b2',
    'arm64',
    '0c9a617510b28c1b4fb4a38aabea6ab8cd7f026247f2abdff8b955b2278ce049',
    '75b5fbab877064663d22e1772740b49765411b9144eb1ff42c9248edb6457146',
  ),
  debian(
    '2.9.10',
    '1+b3',
    'x64',
    '9f69ebb6f612e652382fde175622160dcd81fd97f2356f5da80bb5c3f48513dd',
    '99bc0bf81d296f1f7d96091643825168f9fbe03343a88afe8f253f8e136a0182',
  ),
  debian(
    '2.9.10',
    '1+b3',
    'arm64',
    '7748c8906ffbaf4f08018c61eeeb5f5e57b4f7bd5307415a802450141b0ee8cd',
    '48ffbf3fa34f8737cff6e4ea6aa4545a8b881b23a281419364e24e8fe6e1b5b3',
  ),
  release('2.15.1', 'darwin', 'arm64'),
  release('2.15.1', 'darwin', 'x64'),
  release('2.9.10', 'darwin', 'arm64'),
  release('2.9.10', 'darwin', 'x64'),
  ...MONITORING,
]
