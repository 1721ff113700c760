// Door of `control`: a running mount seen from outside, over a Unix socket in its state directory.

export { ControlClient, controlSocket } from "./client.ts";
export { type ControlOptions, type ControlServer, startControl } from "./server.ts";
export type {
  Action,
  ArchiveStatus,
  ControlTarget,
  MountStatus,
  OnWaiting,
  OnWarming,
  PendingStatus,
  RemoteError,
  RestoreOrder,
  UploadStatus,
  WarmAnswer,
  WarmStatus,
} from "./target.ts";
