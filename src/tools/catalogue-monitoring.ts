/** Prometheus, promtool, Alertmanager and amtool: from where each can be had. */
import type { Package, ToolName } from './catalogue.ts'

type Arch = 'x64' | 'arm64'

const POOL = 'http://deb.debian.org/debian/pool/main/p'
const GO_ARCH = { x64: 'amd64', arm64: 'arm64' } as const

/** One Debian package: its digest is the one of the archive's Packages index. */
function debian(
  file: string,
  version: string,
  arch: Arch,
  sha256: string,
  binarySha256: Partial<Record<ToolName, string>>,
  programs: readonly [ToolName, ...ToolName[]],
): Package {
  const url = `${POOL}/${file}_${GO_ARCH[arch]}.deb`
  // Debian's Alertmanager has its templates there, where upstream's has them inside.
  const usrShare = programs.filter(name => name === 'alertmanager')
  return { version, platform: 'linux', arch, url, form: 'deb', programs, sha256, binarySha256, usrShare }
}

/** A release archive, with all programs of its project. Nobody could be asked for its digest here, so none is pinned. */
function release(
  project: 'prometheus' | 'alertmanager',
  version: string,
  platform: 'linux' | 'darwin',
  arch: Arch,
): Package {
  const name = `${project}-${version}.${platform}-${GO_ARCH[arch]}.tar.gz`
  const url = `https://github.com/prometheus/${project}/releases/download/v${version}/${name}`
  const programs =
    project === 'prometheus' ? (['prometheus', 'promtool'] as const) : (['alertmanager', 'amtool'] as const)
  return { version, platform, arch, url, form: 'tar.gz', programs, sums: 'sha256sums.txt' }
}

/**
 * In the order in which they are tried. Debian's come first: they are pinned, and a sixth of a release archive in size.
 * What leaves Debian's pool one day can still be had from the release page.
 */
export const MONITORING: readonly Package[] = [
  debian(
    'prometheus/prometheus_3.5.3+ds1-6',
    '3.5.3',
    'x64',
    '593bcced02d8082688ea034dfc543848ad145c5f793aae5aad756c4dbdfa98da',
    { prometheus: '5166de751b664997563a4ccd3d0a8236a6a7545245c1374c9b040e6a1da0ce8e' },
    ['prometheus'],
  ),
  debian(
    'prometheus/prometheus_3.5.3+ds1-6',
    '3.5.3',
    'arm64',
    '1ee56de93c47df84ba1c1e3c88479db19455db5d99ee59f6bedc7b48f5d120a4',
    { prometheus: 'a9be6cc0d424b79c1f4d1290c9c65d9aab3964c97ba7e03a42c3a80d765af814' },
    ['prometheus'],
  ),
  debian(
    'prometheus/promtool_3.5.3+ds1-6',
    '3.5.3',
    'x64',
    '1fb8bad7b932e7a44bccb12517f0bd96d5d5d83f15d3a1c0e2aa705cbf93fe90',
    { promtool: 'cc6dce2ac85985beb80e2a87b34fd40473e5cb435d08e3f1e4af2d74f92cdc8c' },
    ['promtool'],
  ),
  debian(
    'prometheus/promtool_3.5.3+ds1-6',
    '3.5.3',
    'arm64',
    '92945d09e49f4db89d7d701876be9b56ee21f0e702d9e710f4a61877546207c8',
    { promtool: '263398936ad782bbcbd5473b716235ce8dd9010aa55c7b278c2241a4a28cc2c3' },
    ['promtool'],
  ),
  debian(
    'prometheus-alertmanager/prometheus-alertmanager_0.33.1-5',
    '0.33.1',
    'x64',
    'ec1be21dd7ffeec3d6f42dd1cc8e97b8a9e93888f1953b4fb4cb9234be70185f',
    {
      alertmanager: '986d472b135b6a23c201cc2fac4905cd9346cf5595ee2d204d47757bdfe5b6c1',
      amtool: '9a82926d9a16ba2ff2ab8aeb51a9c0b9df7d188b64458491c35585b4bcd35d68',
    },
    ['alertmanager', 'amtool'],
  ),
  debian(
    'prometheus-alertmanager/prometheus-alertmanager_0.33.1-5',
    '0.33.1',
    'arm64',
    '65bdaa97737676ffee8488760d97cb0377a8dd0809d51649e349fcdd667db8de',
    {
      alertmanager: '7e89e53b9ba16a170c74832da9ebef98ad558c12343a88e124ca47f8701a8e1b',
      amtool: 'a47602d6150c9c3a9909bdfe2e31ceb2279c393730ad70bcb781e9fcf557d3a2',
    },
    ['alertmanager', 'amtool'],
  ),
  debian(
    'prometheus/prometheus_2.53.3+ds1-2',
    '2.53.3',
    'x64',
    '58c3e6a86c56cb3bfd71032fa48d65945d526441a212f5815dfe5ed9cb787ecc',
    { prometheus: 'fe90274df34154770b9455ab036555b602dccbea709be398b640e45eeed48f53' },
    ['prometheus'],
  ),
  debian(
    'prometheus/prometheus_2.53.3+ds1-2',
    '2.53.3',
    'arm64',
    '59b459dee0ceef9c645a98166ea00f0d10946391a5d486505360e2d21cd1ddec',
    { prometheus: '385dcbef12f9fa373ccd48495fd4599eb8ec95f61b6ad1543525c93c4808cd95' },
    ['prometheus'],
  ),
  debian(
    'prometheus/promtool_2.53.3+ds1-2',
    '2.53.3',
    'x64',
    'ff27654eacc95abd846d344e91fe4ba3b4f0588a50d606ed1d2f09ad3408722f',
    { promtool: 'b71477158ccb7d22cc803d22739aa27b12bbc99b8a32fd9237960b29933aeec1' },
    ['promtool'],
  ),
  debian(
    'prometheus/promtool_2.53.3+ds1-2',
    '2.53.3',
    'arm64',
    'cc1d5889b4d2e2ef92a6984039d88c11993ad3c73f5e74acd3ee15adaefb764c',
    { promtool: '2e558067f5e58c1a49c3a03a6879a569237bd80d8df295565afecc9de225f43b' },
    ['promtool'],
  ),
  debian(
    'prometheus-alertmanager/prometheus-alertmanager_0.28.1+ds-1',
    '0.28.1',
    'x64',
    '76ee08c2bf686fa32ca243d099b6bfc6cb00074e9337c18ef73154b60c5830a9',
    {
      alertmanager: '7108540a07ffd1b7dc9a5b51da2240076b250afcc096d941829454baeb8f2833',
      amtool: '2f9d847b904d169e0cba59749b2d3127261175289b8a6a2a36c33cd5d2fe6946',
    },
    ['alertmanager', 'amtool'],
  ),
  debian(
    'prometheus-alertmanager/prometheus-alertmanager_0.28.1+ds-1',
    '0.28.1',
    'arm64',
    'abd779fb3877d7749527a9028dae6f3c5b0e21853267b7a183f7835d6079a92b',
    {
      alertmanager: 'c3074cede3a4865cb9def57718b7da83d4ff419d8f8d34bdfbd436d63010fd55',
      amtool: 'f598723d8284481cdbee973a5f693a82855ba3f329048f1fd1e04f757778454b',
    },
    ['alertmanager', 'amtool'],
  ),
  release('prometheus', '3.5.3', 'linux', 'x64'),
  release('prometheus', '3.5.3', 'linux', 'arm64'),
  release('prometheus', '3.5.3', 'darwin', 'arm64'),
  release('prometheus', '3.5.3', 'darwin', 'x64'),
  release('alertmanager', '0.33.1', 'linux', 'x64'),
  release('alertmanager', '0.33.1', 'linux', 'arm64'),
  release('alertmanager', '0.33.1', 'darwin', 'arm64'),
  release('alertmanager', '0.33.1', 'darwin', 'x64'),
]
