// Door of `config`: flags and environment in, one validated configuration out. The only user of the schema library.

export { defaultCacheSize, prepareCacheDir } from "./cache-dir.ts";
export { type Credentials, type Environment, SECRET_VARIABLES } from "./credentials.ts";
export {
  type CacheConfig,
  CLOSE_LAG_DEFAULT,
  CLOSE_MODES,
  type CloseMode,
  CONGESTIONS,
  LIST_TTL_DEFAULT,
  LOG_LEVELS,
  type LogLevel,
  loadMountConfig,
  type MountConfig,
  parseMountConfig,
  READ_MEMORY_DEFAULT,
  type Surroundings,
  stateBase,
} from "./mount-config.ts";
export type { MountFlags } from "./mount-flags.ts";
export { formatDuration, formatSize, parseCount } from "./quantity.ts";
export { formatSource, parseSource, type Source } from "./source.ts";
export {
  defaultSpillLimit,
  FREE_MIN,
  lookAtDisk,
  prepareStateDir,
  type StateDirIo,
} from "./state-dir.ts";
