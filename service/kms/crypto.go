package kms

import (
	"context"
	"errors"

	"neargate/auth"
	api "neargate/aws/kms"
	"neargate/internal/seal"
	"neargate/resource/key"
	"neargate/service/internal/member"
	"neargate/store"
	"neargate/store/tables/keys"
	"neargate/wire/shape"
)

// maxContext bounds the size of an encryption context.
const maxContext = 8192

// encrypt makes a ciphertext under the key's current material.
func (s *Service) encrypt(k *key.Key, plaintext []byte, context map[string]string) ([]byte, error) {
	m, err := s.open(k, k.Current())
	if err != nil {
		return nil, err
	}
	header := k.Header()
	return append(header, seal.Seal(m, s.deps.IDs.Bytes(seal.Random), plaintext, key.Additional(header, k.Region, context))...), nil
}

// decrypt opens a ciphertext made with any material of the key.
func (s *Service) decrypt(k *key.Key, b *key.Blob, context map[string]string) ([]byte, *key.Material, error) {
	if int64(b.Material) >= int64(len(k.Materials)) {
		return nil, nil, api.InvalidCiphertextException("")
	}
	material := &k.Materials[b.Material]
	m, err := s.open(k, material)
	if err != nil {
		return nil, nil, err
	}
	plaintext, err := seal.Open(m, b.Body, key.Additional(b.Header, k.Region, context))
	if errors.Is(err, seal.ErrOpen) {
		err = api.InvalidCiphertextException("")
	}
	return plaintext, material, err
}

// forEncryption finds the key of a request and refuses one that cannot be used.
func (s *Service) forEncryption(ctx context.Context, text string, context map[string]string, tokens []string) (key.Key, error) {
	if err := firstOf(checkContext(context), s.tokens(ctx, tokens)); err != nil {
		return key.Key{}, err
	}
	k, err := s.get(ctx, text)
	if err == nil {
		err = usable(&k)
	}
	return k, err
}

// forDecryption finds the key a ciphertext names, which must be the one the request
// names, if it does.
func (s *Service) forDecryption(ctx context.Context, ciphertext []byte, text *string, context map[string]string, tokens []string) (k key.Key, b key.Blob, err error) {
	if err := firstOf(checkContext(context), s.tokens(ctx, tokens)); err != nil {
		return k, b, err
	}
	c := auth.CallerFrom(ctx)
	b, ok := key.ParseBlob(ciphertext)
	if !ok {
		return k, b, api.InvalidCiphertextException("")
	}
	if text != nil {
		if k, err = s.get(ctx, *text); err != nil {
			return k, b, err
		}
		if k.ID != b.ID || k.Account != b.Account {
			return k, b, api.IncorrectKeyException("The key ID in the request does not identify a CMK that can perform this operation.")
		}
		return k, b, usable(&k)
	}
	err = s.deps.Store.View(ctx, func(tx store.Tx) (err error) {
		k, ok, err = keys.Keys.Find(tx, b.Account, c.Region, b.ID)
		return err
	})
	switch {
	case err != nil:
		return k, b, err
	case !ok:
		return k, b, unknownCiphertext()
	}
	return k, b, usable(&k)
}

// unknownCiphertext refuses a ciphertext of a key that the caller cannot see.
func unknownCiphertext() *shape.Error {
	return shape.Errorf("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
}

// tokens refuses tokens of grants that are not there.
func (s *Service) tokens(ctx context.Context, tokens []string) error {
	if len(tokens) == 0 {
		return nil
	}
	return s.deps.Store.View(ctx, func(tx store.Tx) error { return s.checkTokens(tx, auth.CallerFrom(ctx), tokens) })
}

func checkContext(context map[string]string) error {
	n := 0
	for k, v := range context {
		n += len(k) + len(v)
	}
	if n > maxContext {
		return shape.Errorf("ValidationException", "The encryption context is larger than %d bytes.", maxContext)
	}
	return nil
}

// algorithm refuses the algorithms of asymmetric keys.
func algorithm(name *string) error {
	if member.Or(name, symmetric) != symmetric {
		return api.InvalidKeyUsageException("EncryptionAlgorithm " + *name + " is not valid for KeySpec " + symmetric + ".")
	}
	return nil
}

// dryRun is the answer to a request that was to be checked only.
func dryRun(asked *bool) error {
	if member.Or(asked, false) {
		return api.DryRunOperationException("The request would have succeeded, but the DryRun option is set.")
	}
	return nil
}

// enclave refuses to encrypt an answer for a Nitro enclave, of which there are none.
func enclave(r *api.RecipientInfo) error {
	if r == nil {
		return nil
	}
	return shape.Errorf("ValidationException", "The attestation document is not valid.")
}

// Encrypt encrypts at most 4 KiB.
func (s *Service) Encrypt(ctx context.Context, in *api.EncryptInput) (*api.EncryptOutput, error) {
	if err := algorithm(in.EncryptionAlgorithm); err != nil {
		return nil, err
	}
	k, err := s.forEncryption(ctx, *in.KeyId, in.EncryptionContext, in.GrantTokens)
	if err = firstOf(err, dryRun(in.DryRun)); err != nil {
		return nil, err
	}
	blob, err := s.encrypt(&k, in.Plaintext, in.EncryptionContext)
	return &api.EncryptOutput{CiphertextBlob: blob, KeyId: new(k.ARN()), EncryptionAlgorithm: new(symmetric)}, err
}

// Decrypt decrypts what Encrypt, ReEncrypt and the data key operations made.
func (s *Service) Decrypt(ctx context.Context, in *api.DecryptInput) (*api.DecryptOutput, error) {
	if err := firstOf(algorithm(in.EncryptionAlgorithm), enclave(in.Recipient)); err != nil {
		return nil, err
	}
	if len(in.DryRunModifiers) > 0 {
		return nil, shape.Errorf("ValidationException", "DryRunModifiers are not supported in this region.")
	}
	k, b, err := s.forDecryption(ctx, in.CiphertextBlob, in.KeyId, in.EncryptionContext, in.GrantTokens)
	if err != nil {
		return nil, err
	}
	plaintext, m, err := s.decrypt(&k, &b, in.EncryptionContext)
	if err = firstOf(err, dryRun(in.DryRun)); err != nil {
		return nil, err
	}
	return &api.DecryptOutput{Plaintext: plaintext, KeyId: new(k.ARN()), KeyMaterialId: &m.ID, EncryptionAlgorithm: new(symmetric)}, nil
}

// ReEncrypt decrypts a ciphertext and encrypts it anew, also under another key.
func (s *Service) ReEncrypt(ctx context.Context, in *api.ReEncryptInput) (*api.ReEncryptOutput, error) {
	if err := firstOf(algorithm(in.SourceEncryptionAlgorithm), algorithm(in.DestinationEncryptionAlgorithm)); err != nil {
		return nil, err
	}
	if len(in.DryRunModifiers) > 0 {
		return nil, shape.Errorf("ValidationException", "DryRunModifiers are not supported in this region.")
	}
	from, b, err := s.forDecryption(ctx, in.CiphertextBlob, in.SourceKeyId, in.SourceEncryptionContext, in.GrantTokens)
	if err != nil {
		return nil, err
	}
	to, err := s.forEncryption(ctx, *in.DestinationKeyId, in.DestinationEncryptionContext, nil)
	if err != nil {
		return nil, err
	}
	plaintext, m, err := s.decrypt(&from, &b, in.SourceEncryptionContext)
	if err = firstOf(err, dryRun(in.DryRun)); err != nil {
		return nil, err
	}
	blob, err := s.encrypt(&to, plaintext, in.DestinationEncryptionContext)
	return &api.ReEncryptOutput{
		CiphertextBlob: blob, KeyId: new(to.ARN()), SourceKeyId: new(from.ARN()),
		SourceEncryptionAlgorithm: new(symmetric), DestinationEncryptionAlgorithm: new(symmetric),
		SourceKeyMaterialId: &m.ID, DestinationKeyMaterialId: &to.Current().ID,
	}, err
}

// dataKey makes a data key and its ciphertext.
func (s *Service) dataKey(ctx context.Context, text string, spec *string, size *int32, context map[string]string, tokens []string, dry *bool) (k key.Key, plaintext, blob []byte, err error) {
	if (spec == nil) == (size == nil) {
		return k, nil, nil, shape.Errorf("ValidationException", "Please specify either number of bytes or key spec.")
	}
	n := int(member.Or(size, 32))
	if member.Or(spec, "") == "AES_128" {
		n = 16
	}
	k, err = s.forEncryption(ctx, text, context, tokens)
	if err = firstOf(err, dryRun(dry)); err != nil {
		return k, nil, nil, err
	}
	plaintext = s.deps.IDs.Bytes(n)
	blob, err = s.encrypt(&k, plaintext, context)
	return k, plaintext, blob, err
}

// GenerateDataKey makes a data key, in plaintext and encrypted.
func (s *Service) GenerateDataKey(ctx context.Context, in *api.GenerateDataKeyInput) (*api.GenerateDataKeyOutput, error) {
	if err := enclave(in.Recipient); err != nil {
		return nil, err
	}
	k, plaintext, blob, err := s.dataKey(ctx, *in.KeyId, in.KeySpec, in.NumberOfBytes, in.EncryptionContext, in.GrantTokens, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &api.GenerateDataKeyOutput{Plaintext: plaintext, CiphertextBlob: blob, KeyId: new(k.ARN()), KeyMaterialId: &k.Current().ID}, nil
}

// GenerateDataKeyWithoutPlaintext makes an encrypted data key.
func (s *Service) GenerateDataKeyWithoutPlaintext(ctx context.Context, in *api.GenerateDataKeyWithoutPlaintextInput) (*api.GenerateDataKeyWithoutPlaintextOutput, error) {
	k, _, blob, err := s.dataKey(ctx, *in.KeyId, in.KeySpec, in.NumberOfBytes, in.EncryptionContext, in.GrantTokens, in.DryRun)
	if err != nil {
		return nil, err
	}
	return &api.GenerateDataKeyWithoutPlaintextOutput{CiphertextBlob: blob, KeyId: new(k.ARN()), KeyMaterialId: &k.Current().ID}, nil
}

// GenerateRandom answers random bytes.
func (s *Service) GenerateRandom(ctx context.Context, in *api.GenerateRandomInput) (*api.GenerateRandomOutput, error) {
	switch {
	case in.CustomKeyStoreId != nil:
		return nil, api.CustomKeyStoreNotFoundException("")
	case in.NumberOfBytes == nil:
		return nil, shape.Errorf("ValidationException", "NumberOfBytes is required.")
	}
	if err := enclave(in.Recipient); err != nil {
		return nil, err
	}
	return &api.GenerateRandomOutput{Plaintext: s.deps.IDs.Bytes(int(*in.NumberOfBytes))}, nil
}
