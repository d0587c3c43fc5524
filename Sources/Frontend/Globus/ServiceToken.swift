// ServiceToken: the app's own Transfer token, by which it reads public collections' documents
// before anybody has signed in. One is asked for at a time and kept until shortly before its end.

import Reactor

@Loop final class ServiceToken {
  private let auth: AuthClient
  private let flight = SingleFlight<Bool, Token>()
  private var current: Token?

  init(_ auth: AuthClient) { self.auth = auth }

  /// The token, asked for when there is none.
  func token(trace: UpstreamTrace) async throws(GlobusError) -> TransferToken {
    let now = Loop.wallClockMicroseconds / 1_000_000
    if let current, now < current.expiresAt - GlobusLimits.renewalSeconds {
      return TransferToken(secret: current.secret)
    }
    let auth = auth
    let fresh = try await flight.value(for: true) {
      do throws(AuthError) {
        return .success(try await auth.clientCredentials(trace: trace))
      } catch {
        return .failure(GlobusError(error))
      }
    }
    current = fresh
    return TransferToken(secret: fresh.secret)
  }

  /// Drops a token that Transfer does not accept any more.
  func forget() { current = nil }
}

extension GlobusError {
  /// An error of Auth in a call that no user can mend.
  init(_ error: AuthError) {
    self =
      switch error {
      case .slowDown(let seconds): .slowDown(retryAfter: seconds)
      case .unavailable(let text): .unavailable(text)
      case .invalidClient: .unavailable("Auth does not accept the client id and secret")
      case .invalidGrant: .unavailable("Auth does not accept the grant")
      case .unknownScope: .unavailable("Auth does not know the scope")
      }
  }
}
