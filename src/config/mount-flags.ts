// What the command line gives for `mount`, before anything is checked.

export interface MountFlags {
  readonly close?: string | undefined;
  readonly closeLag?: string | undefined;
  readonly stateDir?: string | undefined;
  readonly hold?: readonly string[] | undefined;
  readonly storageClass?: readonly string[] | undefined;
  readonly persistAttributes?: string | undefined;
  readonly spillLimit?: string | undefined;
  readonly readMemory?: string | undefined;
  readonly cacheDir?: string | undefined;
  readonly cacheSize?: string | undefined;
  readonly listTtl?: string | undefined;
  readonly partSize?: string | undefined;
  readonly uploads?: string | undefined;
  readonly congestion?: string | undefined;
  readonly provider?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly readEndpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly log?: string | undefined;
  readonly allowHttp?: boolean | undefined;
  readonly allowOther?: boolean | undefined;
  readonly readOnly?: boolean | undefined;
  readonly foreground?: boolean | undefined;
  /** Lists of `-o`. An option given by its own flag wins over the same one in here. */
  readonly options?: readonly string[] | undefined;
}
