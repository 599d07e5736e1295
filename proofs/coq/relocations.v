(* Beyond the paper: what the classification says of its family, y_i = a_i exp(d_i x_i) / w with
   w = C + sum_k a_k exp(d_k x_k), and the trick for targets of any sum. To be read beside relocations.py. *)

Require Import Reals Lra Lia Arith FunctionalExtensionality.
From SoftmaxTrick Require Import vectors softmax theorem_a1 theorem_1.
Open Scope R_scope.

(* --- the trick for targets of any sum ----------------------------------------------------------------------------- *)

Theorem trick_for_any_sum : forall K t x,
  gradient K (soft_cross_entropy K t) x (fun i => sum K t * softmax K x i - t i).
Proof.
  intros K t x i Hi. apply partial_eq with (1 := partial_of_soft_ce K t x i Hi). ring.
Qed.

(* The chain rule: SoftCE at d * x - c, one coordinate of which moves with x_i. *)
Theorem dilated_trick_for_any_sum : forall K t c d x, let y := fun z => softmax K (fun k => d k * z k - c k) in
  gradient K (fun z => cross_entropy K t (y z)) x (fun i => d i * (sum K t * y x i - t i)).
Proof.
  intros K t c d x y i Hi. unfold y.
  set (z := fun k => d k * x k - c k).
  assert (line : forall s, (fun k => d k * update x i s k - c k) = update z i (d i * s - c i)).
  { intros s. apply functional_extensionality. intros k. unfold z, update.
    destruct (Nat.eqb_spec k i); [ subst; reflexivity | reflexivity ]. }
  apply partial_eq with ((softmax K z i * sum K t - t i) * (d i * 1 - 0)); [ | unfold z; ring ].
  unfold partial.
  apply derivable_pt_lim_ext with (comp (fun u => soft_cross_entropy K t (update z i u)) (fun s => d i * s - c i)).
  { intros s. rewrite line. reflexivity. }
  apply derivable_pt_lim_comp.
  - exact (derivable_pt_lim_minus _ _ _ _ _ (derivable_pt_lim_scal _ (d i) _ _ (derivable_pt_lim_id (x i)))
      (derivable_pt_lim_const (c i) (x i))).
  - exact (partial_of_soft_ce K t z i Hi).
Qed.

(* --- the family of the classification ----------------------------------------------------------------------------- *)

(* The slack is 0 if and only if y sums to 1: at one point, or everywhere. *)
Theorem family_unity : forall K a d C, (forall x, weight K a d C x <> 0) ->
  ((exists x, sum K (family K a d C x) = 1) <-> C = 0) /\ (C = 0 <-> forall x, sum K (family K a d C x) = 1).
Proof.
  intros K a d C Hw.
  assert (H1 : forall x, sum K (family K a d C x) = 1 -> C = 0).
  { intros x Hx. pose proof (family_defect K a d C x (Hw x)) as H. rewrite Hx in H.
    apply Rmult_eq_reg_r with (/ weight K a d C x); [ | apply Rinv_neq_0_compat; apply Hw ].
    unfold Rdiv in H. lra. }
  assert (H2 : C = 0 -> forall x, sum K (family K a d C x) = 1).
  { intros HC x. pose proof (family_defect K a d C x (Hw x)) as H. rewrite HC in H at 2. unfold Rdiv in H. lra. }
  split; split.
  - intros [ x Hx ]. apply (H1 x Hx).
  - intros HC. exists (fun _ => 0). apply H2. assumption.
  - exact H2.
  - intros H. apply (H1 (fun _ => 0)). apply H.
Qed.

(* F tells d, and c but for a constant, for K >= 2. *)
Theorem family_uniqueness : forall K c d c' d', (2 <= K)%nat ->
  ((forall x i, (i < K)%nat -> softmax K (fun k => d k * x k - c k) i = softmax K (fun k => d' k * x k - c' k) i) <->
   (forall i, (i < K)%nat -> d i = d' i) /\ exists r, forall i, (i < K)%nat -> c i - c' i = r).
Proof.
  intros K c d c' d' HK. split.
  - intros H.
    assert (Hz : forall x i j, (i < K)%nat -> (j < K)%nat ->
      (d i * x i - c i) + (d' j * x j - c' j) = (d j * x j - c j) + (d' i * x i - c' i)).
    { intros x i j Hi Hj. apply exp_inv. rewrite !exp_plus.
      assert (Ei := H x i Hi). assert (Ej := H x j Hj). unfold softmax in Ei, Ej.
      assert (S1 := sum_exp_positive K (fun k => d k * x k - c k) ltac:(lia)).
      assert (S2 := sum_exp_positive K (fun k => d' k * x k - c' k) ltac:(lia)).
      cbv beta in *.
      set (w := sum K (fun k => exp (d k * x k - c k))) in *. set (w' := sum K (fun k => exp (d' k * x k - c' k))) in *.
      replace (exp (d i * x i - c i)) with (exp (d i * x i - c i) / w * w) by (field; lra).
      replace (exp (d j * x j - c j)) with (exp (d j * x j - c j) / w * w) by (field; lra).
      rewrite Ei, Ej. field. lra. }
    assert (Hc : forall i j, (i < K)%nat -> (j < K)%nat -> c i - c' i = c j - c' j).
    { intros i j Hi Hj. specialize (Hz (fun _ => 0) i j Hi Hj). cbv beta in Hz. lra. }
    split; [ | exists (c O - c' O); intros i Hi; apply Hc; lia ].
    intros i Hi. set (j := if Nat.eqb i O then 1%nat else O).
    assert (Hj : (j < K)%nat) by (unfold j; destruct (Nat.eqb i O); lia).
    assert (Hji : j <> i) by (unfold j; destruct (Nat.eqb_spec i O); lia).
    specialize (Hz (unit i) i j Hi Hj). specialize (Hc i j Hi Hj). unfold unit in Hz.
    rewrite delta_same, (delta_other j i Hji) in Hz. lra.
  - intros [ Hd [ r Hr ] ] x i Hi.
    assert (E : forall k, (k < K)%nat -> exp (d k * x k - c k) = exp (- r) * exp (d' k * x k - c' k)).
    { intros k Hk. rewrite <- exp_plus, (Hd k Hk). f_equal. specialize (Hr k Hk). lra. }
    unfold softmax. rewrite (E i Hi), (sum_ext K _ (fun k => exp (- r) * exp (d' k * x k - c' k)) E), sum_scale.
    field. split; apply Rgt_not_eq; [ | apply exp_pos ].
    apply (sum_exp_positive K (fun k => d' k * x k - c' k)). lia.
Qed.

(* The classes with d_k = 0 add their a_k to the slack, whatever x is. *)
Definition dead (d a : vector) : vector := fun k => if Req_EM_T (d k) 0 then a k else 0.
Definition live (d a : vector) : vector := fun k => if Req_EM_T (d k) 0 then 0 else a k.

Lemma weight_of_live : forall K a d C x,
  weight K a d C x = (C + sum K (dead d a)) + sum K (fun k => live d a k * exp (d k * x k)).
Proof.
  intros. unfold weight. rewrite Rplus_assoc, <- sum_plus. f_equal. apply sum_ext. intros k _.
  unfold dead, live. destruct (Req_EM_T (d k) 0) as [ E | E ]; [ rewrite E, Rmult_0_l, exp_0 | ]; ring.
Qed.

Lemma live_nonnegative : forall K a d (x : vector), (forall k, (k < K)%nat -> 0 < a k) ->
  forall k, (k < K)%nat -> 0 <= live d a k * exp (d k * x k).
Proof.
  intros K a d x Ha k Hk. apply Rmult_le_pos; [ | left; apply exp_pos ].
  unfold live. destruct (Req_EM_T (d k) 0); [ lra | left; auto ].
Qed.

Lemma live_positive : forall K a d (x : vector), (forall k, (k < K)%nat -> 0 < a k) ->
  (exists k, (k < K)%nat /\ d k <> 0) -> 0 < sum K (fun k => live d a k * exp (d k * x k)).
Proof.
  intros K a d x Ha [ n [ Hn Hd ] ]. apply Rlt_le_trans with (live d a n * exp (d n * x n)).
  - apply Rmult_lt_0_compat; [ | apply exp_pos ]. unfold live. destruct (Req_EM_T (d n) 0); [ contradiction | auto ].
  - apply (sum_at_least K (fun k => live d a k * exp (d k * x k))); [ apply live_nonnegative | ]; assumption.
Qed.

(* With too little slack, w vanishes at x_k = -s / d_k for some s. *)
Lemma weight_vanishes : forall K a d C, (forall k, (k < K)%nat -> 0 < a k) -> (exists k, (k < K)%nat /\ d k <> 0) ->
  C + sum K (dead d a) < 0 -> exists x, weight K a d C x = 0.
Proof.
  intros K a d C Ha Hd HB. set (B := C + sum K (dead d a)) in *.
  assert (HA := live_positive K a d (fun _ => 0) Ha Hd).
  rewrite (sum_ext K _ (live d a)) in HA by (intros; rewrite Rmult_0_r, exp_0; ring).
  set (A := sum K (live d a)) in *.
  exists (fun k => ln (- B / A) / d k). rewrite weight_of_live. fold B.
  rewrite (sum_ext K _ (fun k => - B / A * live d a k)).
  - rewrite sum_scale. fold A. field. lra.
  - intros k _. unfold live. destruct (Req_EM_T (d k) 0) as [ E | E ]; [ ring | ].
    replace (d k * (ln (- B / A) / d k)) with (ln (- B / A)) by (field; assumption).
    rewrite exp_ln by (apply Rdiv_lt_0_compat; lra). ring.
Qed.

(* How much negative slack the family can take. *)
Theorem family_positivity : forall K a d C, (forall k, (k < K)%nat -> 0 < a k) ->
  ((exists k, (k < K)%nat /\ d k <> 0) -> ((forall x, 0 < weight K a d C x) <-> 0 <= C + sum K (dead d a))) /\
  ((forall k, (k < K)%nat -> d k = 0) -> ((forall x, 0 < weight K a d C x) <-> 0 < C + sum K a)).
Proof.
  intros K a d C Ha. split; intros Hd.
  - split.
    + intros H. destruct (Rle_or_lt 0 (C + sum K (dead d a))) as [ | HB ]; [ assumption | ].
      destruct (weight_vanishes K a d C Ha Hd HB) as [ x Hx ]. specialize (H x). lra.
    + intros HB x. rewrite weight_of_live. pose proof (live_positive K a d x Ha Hd). lra.
  - assert (E : forall x, weight K a d C x = C + sum K a).
    { intros x. unfold weight. f_equal. apply sum_ext. intros k Hk. rewrite (Hd k Hk), Rmult_0_l, exp_0. ring. }
    split; [ intros H; rewrite <- (E (fun _ => 0)); apply H | intros H x; rewrite E; exact H ].
Qed.

(* If no dilation is zero, the slack is not negative: an F > 0 with (P2) has sum y <= 1. *)
Theorem slack_is_not_negative : forall K a d C, (1 <= K)%nat -> (forall k, (k < K)%nat -> 0 < a k) ->
  (forall k, (k < K)%nat -> d k <> 0) -> (forall x, weight K a d C x <> 0) -> 0 <= C.
Proof.
  intros K a d C HK Ha Hd Hw. destruct (Rle_or_lt 0 C) as [ | HC ]; [ assumption | ].
  destruct (weight_vanishes K a d C Ha) as [ x Hx ].
  - exists O. split; [ lia | apply Hd; lia ].
  - rewrite (sum_ext K (dead d a) (fun _ => 0)), sum_zero; [ lra | ].
    intros k Hk. unfold dead. destruct (Req_EM_T (d k) 0) as [ E | ]; [ | reflexivity ].
    destruct (Hd k Hk E).
  - destruct (Hw x Hx).
Qed.

Theorem sum_is_at_most_one : forall K F d, local_map K F -> (1 <= K)%nat ->
  (forall x i, (i < K)%nat -> 0 < F x i) -> (forall k, (k < K)%nat -> d k <> 0) ->
  P2_with d K F -> forall x, sum K (F x) <= 1.
Proof.
  intros K F d Hlocal HK Hpos Hd HJ x0. destruct (p2_gives_family K F d Hlocal HJ) as [ a [ C H ] ].
  set (w0 := weight K a d C x0). assert (Hw0 : w0 <> 0) by apply H.
  assert (scaled : forall x, weight K (fun k => a k / w0) d (C / w0) x = weight K a d C x / w0).
  { intros x. unfold weight, Rdiv. rewrite Rmult_plus_distr_r. f_equal. rewrite Rmult_comm, <- sum_scale.
    apply sum_ext. intros. ring. }
  assert (0 <= C / w0).
  { apply (slack_is_not_negative K (fun k => a k / w0) d); try assumption.
    - intros k Hk. specialize (Hpos x0 k Hk). rewrite (proj2 (H x0) k Hk) in Hpos. unfold family in Hpos. fold w0 in Hpos.
      replace (a k / w0) with (a k * exp (d k * x0 k) / w0 * / exp (d k * x0 k)).
      + apply Rmult_lt_0_compat; [ assumption | apply Rinv_0_lt_compat; apply exp_pos ].
      + field. split; [ assumption | apply Rgt_not_eq; apply exp_pos ].
    - intros x. rewrite scaled. apply Rmult_integral_contrapositive.
      split; [ apply H | apply Rinv_neq_0_compat; assumption ]. }
  rewrite (sum_ext K _ (family K a d C x0)) by apply H.
  pose proof (family_defect K a d C x0 Hw0) as HD. fold w0 in HD. lra.
Qed.

(* Why that condition is there: with one dilation zero there is an F > 0 with (P2), negative slack and sum y > 1. *)
Theorem negative_slack : forall K, (1 <= K)%nat ->
  exists a d C, (forall k, 0 < a k) /\ C < 0 /\ (forall x, 0 < weight K a d C x) /\
    P2 K (family K a d C) /\ forall x, 1 < sum K (family K a d C x).
Proof.
  intros K HK. set (a := fun _ : nat => 1). set (d := fun k => 1 - delta k O). exists a, d, (- / 2).
  assert (Hw : forall x, 0 < weight K a d (- / 2) x).
  { intros x. unfold weight. assert (a O * exp (d O * x O) <= sum K (fun k => a k * exp (d k * x k))).
    { apply (sum_at_least K (fun k => a k * exp (d k * x k))); [ | lia ]. intros. unfold a. rewrite Rmult_1_l.
      left. apply exp_pos. }
    unfold a, d in *. rewrite delta_same in *. replace ((1 - 1) * x O) with 0 in * by ring. rewrite exp_0 in *. lra. }
  assert (Hw0 : forall x, weight K a d (- / 2) x <> 0) by (intros; apply Rgt_not_eq; apply Hw).
  split; [ intros; unfold a; lra | ]. split; [ lra | ]. split; [ assumption | ].
  split; [ exists d; intros x; apply jacobian_of_family; apply Hw0 | ].
  intros x. pose proof (family_defect K a d (- / 2) x (Hw0 x)).
  assert (0 < / 2 / weight K a d (- / 2) x) by (apply Rdiv_lt_0_compat; [ lra | apply Hw ]).
  unfold Rdiv in *. lra.
Qed.
