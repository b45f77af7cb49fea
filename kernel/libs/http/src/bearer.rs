//! Who may change what is deployed: whoever has the token. RFC 6750, "Authorization Request Header Field"
//! (2.1).

use core::hint::black_box;

/// Whether the value of an `Authorization` field is `Bearer` and this token, which must not be empty.
///
/// It takes a time that depends on the value alone, so that nobody learns from it how much of a guess is
/// right.
#[must_use]
pub fn is_bearer(authorization: &[u8], token: &[u8]) -> bool {
    let Some((scheme, guess)) = authorization.split_at_checked(SCHEME.len()) else {
        return false;
    };
    if token.is_empty() || !scheme.eq_ignore_ascii_case(SCHEME) {
        return false;
    }
    let mut difference = guess.len() ^ token.len();
    for (index, byte) in guess.iter().enumerate() {
        let wanted = token[index % token.len()];
        difference |= usize::from(black_box(byte ^ wanted));
    }
    black_box(difference) == 0
}

const SCHEME: &[u8] = b"Bearer ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_alone_is_right() {
        let is_right = |value: &str| is_bearer(value.as_bytes(), b"token");
        assert!(is_right("Bearer token") && is_right("bearer token"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer  token",
            "Bearer tokem",
            "Bearer Token",
            "Bearer toke",
            "Bearer token ",
            "Bearer tokentoken",
            "Basic token",
            "token",
        ] {
            assert!(!is_right(wrong), "{wrong:?}");
        }
        assert!(!is_bearer(b"Bearer ", b""), "an empty token is none");
    }
}
