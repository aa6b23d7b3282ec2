// What cosign 2.6.1 has written, as it is: a pair of keys of `generate-key-pair`, and the signatures of one image in both
// of its forms.

export const cosignPassword = "secret";

export const cosignPrivateKey = `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJaWldrTFNKL25hYUluYXlseno5VGdHaStFdWFBbTdm
RW5INmNlWDRneEdZPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJvSzRJWkpnTkxqMzFMdlhaZndjaFRHS0c4d0lJb1RKWiJ9LCJj
aXBoZXJ0ZXh0IjoiZ0JsT1hiUDRldnFXcnlBSUhpblZRSkp0RWRtdUxGbHBnbGJr
eHNGb05JYVpYR0JUQ3JEWkhPeHNURWRvUG9UazQvSDNIb05wbndkcmUvMENCMStt
cmZ1bXlwUmJ1RXMyeDhOYmo2M08rS25vb0Q5RCttemxqYjlCNFA1dXFQNDJXN0p2
S3Fxd1pTU3B3Mi9aakpaRHlZK0tocVdDQ3lsS1prNDlOUjNKOEJvRElvQkNzMkQ0
WXBGeUpBOHBXSGcrUWpYWDlxdmVodkhPMXc9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
`;

export const cosignPublicKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFFZ7qXpOXyqtKq+ewZWKhHoJa7le
aRzCLAoIQNbw+/EX7ANXQdvDNpvS/Ij30VeRSJQbCkdxM01E0waKEbhV9g==
-----END PUBLIC KEY-----
`;

export const cosignDigest = "sha256:c191f92f20b1660a1044cca0eb1433a0565d07985f4e9465aaa9d98c4d9f0180";

/** The layer of the manifest `sha256-….sig`, and its annotation. */
export const cosignSimple = {
  payload:
    '{"critical":{"identity":{"docker-reference":"127.0.0.1:46845/app"},"image":{"docker-manifest-digest":"sha256:c191f92f20b1660a1044cca0eb1433a0565d07985f4e9465aaa9d98c4d9f0180"},"type":"cosign container image signature"},"optional":null}',
  signature: "MEUCIEqxUSEP+isgz9AOxAZJxU3XKapMRjjJj6IWDfgZH4WsAiEAz/8TR/mAWh1SlXsX8ClYFCSE3wfVHKg4tBE7fR6IOxI=",
};

/** The envelope of a Sigstore bundle. */
export const cosignEnvelope = {
  payloadType: "application/vnd.in-toto+json",
  payload:
    "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCJzdWJqZWN0IjpbeyJkaWdlc3QiOnsic2hhMjU2IjoiYzE5MWY5MmYyMGIxNjYwYTEwNDRjY2EwZWIxNDMzYTA1NjVkMDc5ODVmNGU5NDY1YWFhOWQ5OGM0ZDlmMDE4MCJ9fV0sInByZWRpY2F0ZVR5cGUiOiJodHRwczovL3NpZ3N0b3JlLmRldi9jb3NpZ24vc2lnbi92MSJ9",
  signature: "MEYCIQCyG/DXMwBc17siJRTmavl0Fh8+rJbOr5whHtkFIlcuyQIhAKHH18iNGU6oNtvRk1jx6VzLLoELBEKGr+FQvQKDPTPn",
};
