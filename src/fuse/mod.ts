// Door of `fuse`: the kernel's protocol on /dev/fuse. Requests in, `Filesystem` calls, replies out; no decisions.

export { threadGroupOf } from "./closing.ts";
export { foreseeAttributes } from "./foresee.ts";
export type { Negotiated } from "./init.ts";
export { type FuseMount, type MountOptions, mountFuse } from "./mount.ts";
export { inspectMountPoint, MOUNT_TYPE, type MountPoint } from "./mount-point.ts";
export { parseMountinfo } from "./mountinfo.ts";
