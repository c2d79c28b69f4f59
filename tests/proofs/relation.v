(* The arithmetic of one axis, for all sizes, strides and dilations.

   The definitions are those of mtconv/geometry.py, which tests/proofs/test_coq.py holds
   against them by enumeration. Division and remainder round down, as in Python. The
   file proves that

   - windows have each tap once,
   - phases partition the taps,
   - blocks with their halos lose and double nothing, on either side,
   - the three maps are the derivatives of one trilinear form. *)

Require Import ZArith Znumtheory Lia List Ring.
Import ListNotations.
Open Scope Z_scope.

Record axis := Axis
  { small : Z; big : Z; kernel : Z; stride : Z; dilation : Z; lo : Z }.

Definition valid (a : axis) : Prop := 0 < stride a /\ 0 < dilation a.

Definition meets (a : axis) (i j o : Z) : Prop :=
  o = stride a * i + dilation a * j - lo a.

Definition is_tap (a : axis) (i j o : Z) : Prop :=
  0 <= i < small a /\ 0 <= j < kernel a /\ 0 <= o < big a /\ meets a i j o.

Definition extent (a : axis) : Z := dilation a * (kernel a - 1) + 1.

(* --- Windows -------------------------------------------------------------------- *)

Definition window_start (a : axis) (j : Z) : Z :=
  Z.max 0 (- ((dilation a * j - lo a) / stride a)).

Definition window_stop (a : axis) (j : Z) : Z :=
  Z.min (small a) ((big a - 1 - (dilation a * j - lo a)) / stride a + 1).

Definition window_big (a : axis) (j : Z) : Z :=
  stride a * window_start a j + (dilation a * j - lo a).

(* What division that rounds down says: the two bounds of a quotient. *)
Lemma quotient (p s : Z) : 0 < s -> s * (p / s) <= p < s * (p / s) + s.
Proof.
  intros positive.
  pose proof (Z.div_mod p s ltac:(lia)).
  pose proof (Z.mod_pos_bound p s positive). lia.
Qed.

Theorem windows_have_each_tap_once (a : axis) (i j o : Z) :
  valid a -> 0 <= j < kernel a ->
  (is_tap a i j o <->
   window_start a j <= i < window_stop a j /\
   o = window_big a j + stride a * (i - window_start a j)).
Proof.
  unfold valid, is_tap, meets, window_big, window_start, window_stop.
  intros [positive _] inside.
  set (shift := dilation a * j - lo a).
  pose proof (quotient shift (stride a) positive).
  pose proof (quotient (big a - 1 - shift) (stride a) positive).
  split.
  - intros (Hi & _ & Ho & ->). fold shift in Ho |- *.
    assert (stride a * i + shift = stride a * i + dilation a * j - lo a) by lia.
    split; [split|].
    + apply Z.max_lub; [lia|]. nia.
    + apply Z.min_glb_lt; [lia|]. nia.
    + lia.
  - intros ([low high] & ->). fold shift.
    assert (- (shift / stride a) <= i) by lia.
    assert (i < small a) by lia.
    assert (i <= (big a - 1 - shift) / stride a) by lia.
    repeat split; try lia; nia.
Qed.

(* --- Phases --------------------------------------------------------------------- *)

(* The least inverse of a number modulo another one, looked for one by one. *)
Definition inverse (number modulus : Z) : Z :=
  let candidates := map Z.of_nat (seq 0 (Z.to_nat modulus)) in
  match find (fun u => (number * u) mod modulus =? 1 mod modulus) candidates with
  | Some u => u
  | None => 0
  end.

Definition common (a : axis) : Z := Z.gcd (stride a) (dilation a).
Definition tap_step (a : axis) : Z := stride a / common a.
Definition shift_step (a : axis) : Z := dilation a / common a.
Definition residue (a : axis) (start : Z) : Z := (start + lo a) mod stride a.

Definition phase_cells (a : axis) (start : Z) : Z := (big a - 1 - start) / stride a + 1.

Definition phase_is_live (a : axis) (start : Z) : bool :=
  residue a start mod common a =? 0.

Definition phase_tap (a : axis) (start : Z) : Z :=
  if phase_is_live a start
  then (residue a start / common a * inverse (shift_step a) (tap_step a)) mod tap_step a
  else 0.

Definition phase_taps (a : axis) (start : Z) : Z :=
  if phase_is_live a start
  then Z.max 0 (- ((phase_tap a start - kernel a) / tap_step a))
  else 0.

Definition phase_shift (a : axis) (start : Z) : Z :=
  if phase_is_live a start
  then (start + lo a - dilation a * phase_tap a start) / stride a
  else 0.

Lemma inverse_is_one (number modulus : Z) :
  0 < modulus -> Z.gcd number modulus = 1 ->
  (number * inverse number modulus) mod modulus = 1 mod modulus.
Proof.
  intros positive prime. unfold inverse.
  destruct (find _ _) as [u|] eqn:search.
  - apply find_some in search. destruct search as [_ holds]. now apply Z.eqb_eq.
  - exfalso.
    destruct (Z.gcd_bezout number modulus 1 prime) as (u & v & bezout).
    set (least := u mod modulus).
    assert (0 <= least < modulus) by now apply Z.mod_pos_bound.
    assert (member : In least (map Z.of_nat (seq 0 (Z.to_nat modulus)))).
    { apply in_map_iff. exists (Z.to_nat least). split; [lia|].
      apply in_seq. lia. }
    pose proof (find_none _ _ search least member) as fails.
    apply Z.eqb_neq in fails. apply fails.
    unfold least. rewrite Z.mul_mod_idemp_r by lia.
    replace (number * u) with (1 + (- v) * modulus) by lia.
    apply Z_mod_plus_full.
Qed.

Section Phases.
  Variable a : axis.
  Hypothesis is_valid : valid a.

  Let g := common a.
  Let s := tap_step a.
  Let d := shift_step a.

  Lemma common_positive : 0 < g.
  Proof.
    unfold g, common. destruct is_valid.
    pose proof (Z.gcd_nonneg (stride a) (dilation a)).
    assert (Z.gcd (stride a) (dilation a) <> 0).
    { intros zero. apply Z.gcd_eq_0_l in zero. lia. }
    lia.
  Qed.

  Lemma divided_by_common (p : Z) : (g | p) -> p = g * (p / g).
  Proof.
    intros divides. pose proof common_positive.
    apply Z_div_exact_full_2; [lia|]. apply Z.mod_divide; [lia|exact divides].
  Qed.

  Lemma stride_splits : stride a = g * s.
  Proof. apply divided_by_common, Z.gcd_divide_l. Qed.

  Lemma dilation_splits : dilation a = g * d.
  Proof. apply divided_by_common, Z.gcd_divide_r. Qed.

  Lemma steps_positive : 0 < s /\ 0 < d.
  Proof.
    pose proof common_positive. pose proof stride_splits. pose proof dilation_splits.
    destruct is_valid. split; nia.
  Qed.

  Lemma steps_have_no_common_part : Z.gcd d s = 1.
  Proof.
    rewrite Z.gcd_comm. unfold s, d, tap_step, shift_step.
    apply Z.gcd_div_gcd; [|reflexivity].
    pose proof common_positive. unfold g in *. fold (common a). lia.
  Qed.

  (* A multiple of d modulo s gives back what was multiplied. *)
  Lemma inverse_undoes (j q : Z) :
    (d * j) mod s = q mod s -> (q * inverse d s) mod s = j mod s.
  Proof.
    intros equal. destruct steps_positive as [positive _].
    rewrite <- Z.mul_mod_idemp_l, <- equal, Z.mul_mod_idemp_l by lia.
    replace (d * j * inverse d s) with (d * inverse d s * j) by ring.
    rewrite <- Z.mul_mod_idemp_l by lia.
    rewrite inverse_is_one by (exact positive || exact steps_have_no_common_part).
    rewrite Z.mul_mod_idemp_l by lia. f_equal. ring.
  Qed.

  Lemma inverse_solves (q : Z) : (d * ((q * inverse d s) mod s)) mod s = q mod s.
  Proof.
    destruct steps_positive as [positive _].
    rewrite Z.mul_mod_idemp_r by lia.
    replace (d * (q * inverse d s)) with (d * inverse d s * q) by ring.
    rewrite <- Z.mul_mod_idemp_l by lia.
    rewrite inverse_is_one by (exact positive || exact steps_have_no_common_part).
    rewrite Z.mul_mod_idemp_l by lia. f_equal. ring.
  Qed.

  Lemma residue_is_live (start j k : Z) :
    start + lo a = stride a * k + dilation a * j -> phase_is_live a start = true.
  Proof.
    intros equal. unfold phase_is_live, residue. apply Z.eqb_eq. fold g.
    pose proof common_positive. pose proof stride_splits. pose proof dilation_splits.
    apply Z.mod_divide; [lia|].
    rewrite Z.mod_eq by (destruct is_valid; lia).
    rewrite equal at 1.
    exists (s * k + d * j - s * ((start + lo a) / stride a)). nia.
  Qed.

  (* In a live phase, start + lo = stride * k + g * q, with q what the taps solve. *)
  Lemma live_splits (start : Z) :
    phase_is_live a start = true ->
    start + lo a =
    stride a * ((start + lo a) / stride a) + g * (residue a start / g).
  Proof.
    intros live. unfold phase_is_live in live. apply Z.eqb_eq in live. fold g in live.
    pose proof common_positive.
    rewrite <- divided_by_common by (apply Z.mod_divide; lia). unfold residue. apply Z.div_mod. destruct is_valid. lia.
  Qed.

  Lemma count_of_taps (tap j m : Z) :
    j = tap + m * s -> (j < kernel a <-> m < - ((tap - kernel a) / s)).
  Proof.
    intros ->. destruct steps_positive as [positive _].
    pose proof (quotient (tap - kernel a) s positive). split; nia.
  Qed.

  (* start + lo - dilation * tap is a multiple of the stride. *)
  Lemma shift_is_exact (start : Z) :
    phase_is_live a start = true ->
    stride a * phase_shift a start = start + lo a - dilation a * phase_tap a start.
  Proof.
    intros live. unfold phase_shift, phase_tap. rewrite live. fold g s d.
    set (q := residue a start / g). set (k := (start + lo a) / stride a).
    set (tap := (q * inverse d s) mod s).
    pose proof (live_splits start live) as split. fold q k in split.
    destruct steps_positive as [positive _].
    assert (multiple : (q - d * tap) mod s = 0).
    { unfold tap. rewrite Zminus_mod, inverse_solves, Z.sub_diag. apply Z.mod_0_l. lia. }
    apply Z.mod_divide in multiple; [|lia]. destruct multiple as [c equal].
    assert (start + lo a - dilation a * tap = (k + c) * stride a) as ->.
    { rewrite split, dilation_splits, stride_splits. nia. }
    rewrite Z.div_mul by (destruct is_valid; lia). ring.
  Qed.

  Theorem phases_have_the_taps_of_their_cells (start i j t : Z) :
    0 <= start < stride a ->
    (is_tap a i j (start + stride a * t) <->
     0 <= t < phase_cells a start /\ 0 <= i < small a /\
     exists m, 0 <= m < phase_taps a start /\
       j = phase_tap a start + m * tap_step a /\
       i = t + phase_shift a start - m * shift_step a).
  Proof.
    intros first. destruct is_valid as [positive _].
    destruct steps_positive as [step_positive _].
    assert (cells : 0 <= start + stride a * t < big a <-> 0 <= t < phase_cells a start).
    { unfold phase_cells.
      pose proof (quotient (big a - 1 - start) (stride a) positive). split; nia. }
    unfold is_tap, meets. rewrite cells. fold s d. split.
    - intros (Hi & Hj & Ht & relation).
      assert (equal : start + lo a = stride a * (i - t) + dilation a * j) by lia.
      pose proof (residue_is_live start j (i - t) equal) as live.
      pose proof (live_splits start live) as split.
      pose proof (shift_is_exact start live) as shift.
      assert (tap : phase_tap a start = j mod s).
      { unfold phase_tap. rewrite live. fold g s d.
        apply inverse_undoes.
        set (q := residue a start / g) in *. set (k := (start + lo a) / stride a) in *.
        pose proof common_positive.
        assert (q = d * j + (i - t - k) * s).
        { rewrite equal in split. rewrite stride_splits, dilation_splits in split. nia. }
        subst q. rewrite H0. symmetry. apply Z_mod_plus_full. }
      split; [exact Ht|]. split; [exact Hi|].
      exists (j / s).
      assert (whole : j = phase_tap a start + j / s * s).
      { rewrite tap. pose proof (Z.div_mod j s ltac:(lia)). lia. }
      split; [|split; [exact whole|]].
      + split; [apply Z.div_pos; lia|].
        unfold phase_taps. rewrite live. fold s.
        apply Z.max_lt_iff. right. apply (count_of_taps _ j _ whole). lia.
      + set (m := j / s) in *. set (p := phase_tap a start) in *.
        assert (stride a * phase_shift a start = stride a * (i - t + m * d)).
        { rewrite shift, equal, whole, dilation_splits, stride_splits. ring. }
        nia.
    - intros (Ht & Hi & m & Hm & Hj & place).
      assert (live : phase_is_live a start = true).
      { unfold phase_taps in Hm. destruct (phase_is_live a start); [reflexivity|lia]. }
      pose proof (shift_is_exact start live) as shift.
      assert (0 <= phase_tap a start).
      { unfold phase_tap. rewrite live. apply Z.mod_pos_bound. exact step_positive. }
      assert (0 <= j) by nia.
      repeat split; try lia.
      + unfold phase_taps in Hm. rewrite live in Hm. fold s in Hm.
        apply (count_of_taps (phase_tap a start) j m Hj). lia.
      + assert (stride a * (m * d) = dilation a * (m * s)).
        { rewrite stride_splits, dilation_splits. ring. }
        rewrite Hj, place. lia.
  Qed.

  (* Each element of the big side is in one phase, at one place. *)
  Theorem phases_partition_the_big_side (o : Z) :
    exists start t, (0 <= start < stride a /\ o = start + stride a * t) /\
      forall start' t', 0 <= start' < stride a /\ o = start' + stride a * t' ->
        start' = start /\ t' = t.
  Proof.
    destruct is_valid as [positive _].
    exists (o mod stride a), (o / stride a).
    pose proof (Z.div_mod o (stride a) ltac:(lia)).
    pose proof (Z.mod_pos_bound o (stride a) positive).
    split; [lia|]. intros start' t' [range equal].
    destruct (Z.div_mod_unique (stride a) t' (o / stride a) start' (o mod stride a));
      lia.
  Qed.

  (* A tap is the m-th of its phase for one m alone. *)
  Theorem taps_of_a_phase_differ (start m m' : Z) :
    phase_tap a start + m * tap_step a = phase_tap a start + m' * tap_step a -> m = m'.
  Proof. fold s. destruct steps_positive. intros. nia. Qed.
End Phases.

(* --- Blocks with halos ------------------------------------------------------------ *)

Definition touched_small (a : axis) (start stop : Z) : Z * Z :=
  let first := - ((extent a - 1 - start - lo a) / stride a) in
  let last := (stop - 1 + lo a) / stride a in
  let first := Z.min (Z.max first 0) (small a) in
  (first, Z.max first (Z.min (last + 1) (small a))).

Definition touched_big (a : axis) (start stop : Z) : Z * Z :=
  let first := stride a * start - lo a in
  let last := stride a * (stop - 1) + extent a - 1 - lo a in
  let first := Z.min (Z.max first 0) (big a) in
  (first, Z.max first (Z.min (last + 1) (big a))).

Definition restrict (a : axis) (smalls bigs : Z * Z) : axis :=
  Axis (snd smalls - fst smalls) (snd bigs - fst bigs) (kernel a) (stride a) (dilation a)
    (lo a + fst bigs - stride a * fst smalls).

Lemma restricted_taps (a : axis) (smalls bigs : Z * Z) (i j o : Z) :
  0 <= fst smalls -> snd smalls <= small a -> 0 <= fst bigs -> snd bigs <= big a ->
  (is_tap (restrict a smalls bigs) (i - fst smalls) j (o - fst bigs) <->
   fst smalls <= i < snd smalls /\ fst bigs <= o < snd bigs /\ is_tap a i j o).
Proof. unfold is_tap, meets, restrict. simpl. intros. split; intros; lia. Qed.

Theorem big_blocks_lose_and_double_nothing (a : axis) (start stop i j o : Z) :
  valid a -> 0 <= small a -> 0 <= start -> start <= stop -> stop <= big a ->
  let halo := touched_small a start stop in
  start <= o < stop ->
  (is_tap a i j o <->
   fst halo <= i < snd halo /\
   is_tap (restrict a halo (start, stop)) (i - fst halo) j (o - start)).
Proof.
  intros [positive dilated] sized low ordered high halo inside.
  pose proof (quotient (extent a - 1 - start - lo a) (stride a) positive) as first.
  pose proof (quotient (stop - 1 + lo a) (stride a) positive) as last.
  assert (bounds : 0 <= fst halo /\ snd halo <= small a).
  { unfold halo, touched_small; simpl. lia. }
  assert (reached : is_tap a i j o -> fst halo <= i < snd halo); cycle 1.
  { clearbody halo. pose proof (restricted_taps a halo (start, stop) i j o) as taps.
    simpl in taps. rewrite taps by lia. tauto. }
  intros (Hi & Hj & Ho & relation). unfold meets in relation.
  unfold extent in first. unfold halo, touched_small, extent; simpl.
  set (p := (dilation a * (kernel a - 1) + 1 - 1 - start - lo a) / stride a) in *.
  set (q := (stop - 1 + lo a) / stride a) in *.
  assert (dilation a * j <= dilation a * (kernel a - 1)) by nia.
  assert (- p <= i) by nia.
  assert (i <= q) by nia. lia.
Qed.

Theorem small_blocks_lose_and_double_nothing (a : axis) (start stop i j o : Z) :
  valid a -> 0 <= big a -> 0 <= start -> start <= stop -> stop <= small a ->
  let halo := touched_big a start stop in
  start <= i < stop ->
  (is_tap a i j o <->
   fst halo <= o < snd halo /\
   is_tap (restrict a (start, stop) halo) (i - start) j (o - fst halo)).
Proof.
  intros [positive dilated] sized low ordered high halo inside.
  assert (bounds : 0 <= fst halo /\ snd halo <= big a).
  { unfold halo, touched_big; simpl. lia. }
  assert (reached : is_tap a i j o -> fst halo <= o < snd halo); cycle 1.
  { clearbody halo. pose proof (restricted_taps a (start, stop) halo i j o) as taps.
    simpl in taps. rewrite taps by lia. tauto. }
  intros (Hi & Hj & Ho & relation). unfold meets in relation.
  unfold halo, touched_big, extent; simpl.
  assert (0 <= dilation a * j <= dilation a * (kernel a - 1)) by nia.
  assert (stride a * start <= stride a * i <= stride a * (stop - 1)) by nia. lia.
Qed.

(* Blocks of any one length: each element is in one of them. *)
Theorem blocks_partition_a_side (length o : Z) :
  0 < length ->
  exists block, length * block <= o < length * block + length /\
    forall other, length * other <= o < length * other + length -> other = block.
Proof.
  intros positive. exists (o / length). pose proof (quotient o length positive).
  split; [assumption|]. intros. nia.
Qed.

(* --- The trilinear form ------------------------------------------------------------ *)

Section Form.
  (* The elements are of any commutative ring. *)
  Variable R : Type.
  Variables zero one : R.
  Variables add times minus : R -> R -> R.
  Variable negative : R -> R.
  Variable is_ring : ring_theory zero one add times minus negative (@eq R).
  Add Ring elements : is_ring.

  Declare Scope element_scope.
  Notation "u + v" := (add u v) : element_scope.
  Notation "u * v" := (times u v) : element_scope.
  Delimit Scope element_scope with element.

  (* The sum of f over 0 .. count - 1. *)
  Fixpoint total (count : nat) (f : Z -> R) : R :=
    match count with
    | O => zero
    | S before => (total before f + f (Z.of_nat before))%element
    end.

  Definition over (size : Z) (f : Z -> R) : R := total (Z.to_nat size) f.

  Lemma over_equal (size : Z) (f h : Z -> R) :
    (forall k, f k = h k) -> over size f = over size h.
  Proof.
    intros equal. unfold over. induction (Z.to_nat size) as [|count IH]; simpl;
      [reflexivity|]. now rewrite IH, equal.
  Qed.

  Lemma over_sum (size : Z) (f h : Z -> R) :
    over size (fun k => f k + h k)%element = (over size f + over size h)%element.
  Proof.
    unfold over. induction (Z.to_nat size) as [|count IH]; simpl; [ring|].
    rewrite IH. ring.
  Qed.

  Lemma over_scaled (size : Z) (f : Z -> R) (c : R) :
    over size (fun k => f k * c)%element = (over size f * c)%element.
  Proof.
    unfold over. induction (Z.to_nat size) as [|count IH]; simpl; [ring|].
    rewrite IH. ring.
  Qed.

  Lemma over_zero (size : Z) : over size (fun _ => zero) = zero.
  Proof.
    unfold over. induction (Z.to_nat size) as [|count IH]; simpl; [reflexivity|].
    rewrite IH. ring.
  Qed.

  Lemma over_exchanged (m n : Z) (f : Z -> Z -> R) :
    over m (fun p => over n (fun q => f p q)) = over n (fun q => over m (fun p => f p q)).
  Proof.
    assert (counted : forall count,
      total count (fun p => over n (fun q => f p q)) =
      over n (fun q => total count (fun p => f p q))).
    { induction count as [|count IH]; simpl.
      - symmetry. apply over_zero.
      - rewrite IH. symmetry. apply over_sum. }
    apply counted.
  Qed.

  Variable a : axis.

  Definition weight (i j o : Z) : R :=
    if o =? stride a * i + dilation a * j - lo a then one else zero.

  Definition form (x w y : Z -> R) : R :=
    over (small a) (fun i => over (kernel a) (fun j => over (big a) (fun o =>
      weight i j o * x i * w j * y o)))%element.

  Definition conv_transpose (x w : Z -> R) (o : Z) : R :=
    over (small a) (fun i => over (kernel a) (fun j => weight i j o * x i * w j))%element.

  Definition conv (y w : Z -> R) (i : Z) : R :=
    over (kernel a) (fun j => over (big a) (fun o => weight i j o * w j * y o))%element.

  Definition kernel_grad (x y : Z -> R) (j : Z) : R :=
    over (small a) (fun i => over (big a) (fun o => weight i j o * x i * y o))%element.

  Theorem form_by_conv_transpose (x w y : Z -> R) :
    form x w y = over (big a) (fun o => conv_transpose x w o * y o)%element.
  Proof.
    unfold form, conv_transpose.
    transitivity (over (small a) (fun i => over (big a) (fun o => over (kernel a) (fun j =>
      weight i j o * x i * w j * y o))))%element.
    - apply over_equal. intros i. apply over_exchanged.
    - rewrite over_exchanged. apply over_equal. intros o. rewrite <- over_scaled.
      apply over_equal. intros i. apply over_scaled.
  Qed.

  Theorem form_by_conv (x w y : Z -> R) :
    form x w y = over (small a) (fun i => conv y w i * x i)%element.
  Proof.
    unfold form, conv. apply over_equal. intros i. rewrite <- over_scaled.
    apply over_equal. intros j. rewrite <- over_scaled.
    apply over_equal. intros o. ring.
  Qed.

  Theorem form_by_kernel_grad (x w y : Z -> R) :
    form x w y = over (kernel a) (fun j => kernel_grad x y j * w j)%element.
  Proof.
    unfold form, kernel_grad. rewrite over_exchanged. apply over_equal. intros j.
    rewrite <- over_scaled. apply over_equal. intros i. rewrite <- over_scaled.
    apply over_equal. intros o. ring.
  Qed.

  (* conv is the adjoint of conv_transpose. *)
  Corollary adjoints (x w y : Z -> R) :
    over (big a) (fun o => conv_transpose x w o * y o)%element =
    over (small a) (fun i => conv y w i * x i)%element.
  Proof. now rewrite <- form_by_conv_transpose, <- form_by_conv. Qed.

  (* The form is linear in each of its arguments, so that a step in one of them changes it
     by the sum of the map over the step: the maps are the derivatives. *)
  Definition moved (f step : Z -> R) (k : Z) : R := (f k + step k)%element.

  Theorem conv_transpose_is_the_derivative_by_y (x w y step : Z -> R) :
    form x w (moved y step) =
    (form x w y + over (big a) (fun o => conv_transpose x w o * step o))%element.
  Proof.
    rewrite !form_by_conv_transpose, <- over_sum. apply over_equal.
    intros o. unfold moved. ring.
  Qed.

  Theorem conv_is_the_derivative_by_x (x w y step : Z -> R) :
    form (moved x step) w y =
    (form x w y + over (small a) (fun i => conv y w i * step i))%element.
  Proof.
    rewrite !form_by_conv, <- over_sum. apply over_equal. intros i. unfold moved. ring.
  Qed.

  Theorem kernel_grad_is_the_derivative_by_w (x w y step : Z -> R) :
    form x (moved w step) y =
    (form x w y + over (kernel a) (fun j => kernel_grad x y j * step j))%element.
  Proof.
    rewrite !form_by_kernel_grad, <- over_sum. apply over_equal.
    intros j. unfold moved. ring.
  Qed.
End Form.
