"""What the format tests share: our labelled bytes, and the other programs' HPKE and streaming AEAD with our parameters."""
import base64
import io
import struct

import tink
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

streaming_aead.register()


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def un_b64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def labelled(label: str, *fields: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(f)) + f for f in (label.encode(), *fields))


def suite() -> CipherSuite:
    return CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.AES256_GCM)


def hpke_open(private_jwk: dict, label: str, manifest: bytes, session: bytes, name: str, enc: bytes, ct: bytes) -> bytes:
    context = suite().create_recipient_context(enc, KEMKey.from_jwk(private_jwk), info=labelled(label))
    return context.open(ct, aad=labelled(label, manifest, session, name.encode()))


def tink_primitive(key: bytes) -> streaming_aead.StreamingAead:
    """Tink's AES256_GCM_HKDF_1MB with our key."""
    proto = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
        version=0, key_value=key,
        params=aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=1 << 20, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256))
    keyset = tink_pb2.Keyset(primary_key_id=1)
    keyset.key.add(
        key_data=tink_pb2.KeyData(type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
                                  value=proto.SerializeToString(), key_material_type=tink_pb2.KeyData.SYMMETRIC),
        status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW)
    handle = tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


class Kept(io.BytesIO):
    """Tink closes what it writes to."""

    def close(self) -> None:
        pass


def tink_open(key: bytes, associated: bytes, stream: bytes) -> bytes:
    with tink_primitive(key).new_decrypting_stream(io.BytesIO(stream), associated) as reader:
        return reader.read()


def tink_seal(key: bytes, associated: bytes, plain: bytes) -> bytes:
    kept = Kept()
    with tink_primitive(key).new_encrypting_stream(kept, associated) as writer:
        writer.write(plain)
    return kept.getvalue()
