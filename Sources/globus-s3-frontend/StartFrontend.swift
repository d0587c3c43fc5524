// The frontend half of `local`.

import LocalGlobus
import Reactor

@Loop func startFrontend(_ globus: LocalGlobus, _ setup: FrontendSetup) async throws
  -> RunningFrontend
{
  throw LocalFailure("this build has the stand-in only: add --stand-in-only")
}
