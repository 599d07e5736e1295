(* Theorem A1 (paper, Appendix A): which functions have the dilated SoftMax trick. To be read beside theorem_a1.py:
   the theorems have the names of its functions, and their order.

   As printed, for a differentiable F : R^K -> R^K the following are equivalent.

     (P1)  y = F(x) = SoftMax(d * x - c) for some c, d in R^K                                                 (A1)
     (P2)  dF/dx = (D_y - y y^T) D_d for some d in R^K                                                        (A2)
     (P3)  (dF/dx)^T (-t / y) = d * (y - t) for every t in [0,1]^K (and some d in R^K)                        (A3)

   (P3) divides by y, so it is read as including that no y_i vanishes anywhere. *)

Require Import Reals Lra Lia Arith FunctionalExtensionality.
From SoftmaxTrick Require Import vectors softmax.
Open Scope R_scope.

(* The Jacobian of (A2): (D_y - y y^T) D_d. *)
Definition softmax_type (K : nat) (y d : vector) : matrix := product K (minus (diag y) (outer y y)) (diag d).

(* The left side of (A3): (dF/dx)^T (-t / y); and its right side: d * (y - t). *)
Definition trick (K : nat) (J : matrix) (t y : vector) : vector := times K (transpose J) (fun k => - t k / y k).
Definition dilated_error (t y d : vector) : vector := fun i => d i * (y i - t i).

Definition P1_with (d : vector) (K : nat) (F : vector -> vector) :=
  exists c, forall x i, (i < K)%nat -> F x i = softmax K (fun k => d k * x k - c k) i.

Definition P2_with (d : vector) (K : nat) (F : vector -> vector) :=
  forall x, jacobian K F x (softmax_type K (F x) d).

(* (P3) for the targets t of a set T. *)
Definition P3_with (d : vector) (K : nat) (T : vector -> Prop) (F : vector -> vector) :=
  forall x, (forall i, (i < K)%nat -> F x i <> 0) /\
    exists J, jacobian K F x J /\
      forall t, T t -> forall i, (i < K)%nat -> trick K J t (F x) i = dilated_error t (F x) d i.

Definition P1 (K : nat) (F : vector -> vector) := exists d, P1_with d K F.
Definition P2 (K : nat) (F : vector -> vector) := exists d, P2_with d K F.
Definition P3 (K : nat) (T : vector -> Prop) (F : vector -> vector) := exists d, P3_with d K T F.

Definition nowhere_zero (K : nat) (F : vector -> vector) := forall x i, (i < K)%nat -> F x i <> 0.

(* F is a distribution with positive entries at one point. (For K >= 2 that is F(x) in (0,1)^K with sum 1.) *)
Definition one_point (K : nat) (F : vector -> vector) :=
  exists x, (forall i, (i < K)%nat -> 0 < F x i) /\ sum K (F x) = 1.

(* y_i = a_i exp(d_i x_i) / w with w = C + sum_k a_k exp(d_k x_k): the family of the classification; w and y. *)
Definition weight (K : nat) (a d : vector) (C : R) (x : vector) : R := C + sum K (fun k => a k * exp (d k * x k)).
Definition family (K : nat) (a d : vector) (C : R) (x : vector) : vector :=
  fun i => a i * exp (d i * x i) / weight K a d C x.

(* --- entries ------------------------------------------------------------------------------------------------------ *)

Lemma softmax_type_entry : forall K y d i j, (j < K)%nat -> softmax_type K y d i j = y i * (delta i j - y j) * d j.
Proof.
  intros. unfold softmax_type, product, minus, diag, outer.
  rewrite (sum_ext K _ (fun k => delta k j * ((delta i k * y i - y i * y k) * d k))) by (intros; ring).
  rewrite sum_delta by assumption. ring.
Qed.

Lemma trick_of_softmax_type : forall K y d t i, (i < K)%nat -> (forall k, (k < K)%nat -> y k <> 0) ->
  trick K (softmax_type K y d) t y i = d i * (y i * sum K t - t i).
Proof.
  intros K y d t i Hi Hy. unfold trick, times, transpose.
  rewrite (sum_ext K _ (fun k => d i * (y i * t k - delta k i * t k))).
  - rewrite sum_scale, sum_minus, sum_scale, sum_delta by assumption. reflexivity.
  - intros k Hk. rewrite softmax_type_entry by assumption. field. apply Hy. assumption.
Qed.

Lemma trick_at_vertex : forall K J y i j, (j < K)%nat -> trick K J (unit j) y i = - J j i / y j.
Proof.
  intros. unfold trick, times, transpose, unit.
  rewrite (sum_ext K _ (fun k => delta k j * (- J k i / y k))) by (intros; unfold Rdiv; ring).
  apply sum_delta. assumption.
Qed.

Lemma jacobian_unique : forall K F x J J', jacobian K F x J -> jacobian K F x J' ->
  forall i j, (i < K)%nat -> (j < K)%nat -> J i j = J' i j.
Proof. intros K F x J J' H H' i j Hi Hj. apply (partial_unique (fun z => F z i) j x); auto. Qed.

Lemma trick_ext : forall K J J' t y i, (forall j, (j < K)%nat -> J j i = J' j i) -> trick K J t y i = trick K J' t y i.
Proof. intros K J J' t y i H. apply sum_ext. intros k Hk. unfold transpose. rewrite H by assumption. reflexivity. Qed.

Lemma trick_for_fewer_targets : forall d K (T T' : vector -> Prop) F,
  (forall t, T' t -> T t) -> P3_with d K T F -> P3_with d K T' F.
Proof.
  intros d K T T' F H Hd x. destruct (Hd x) as [ Hy [ J [ HJ Ht ] ] ].
  split; [ assumption | ]. exists J. split; [ assumption | ]. intros t HT. apply Ht. apply H. assumption.
Qed.

(* --- the family --------------------------------------------------------------------------------------------------- *)

Lemma partial_power : forall a d i j x,
  partial (fun z => a * exp (d * z i)) j x (a * exp (d * x i) * (d * delta i j)).
Proof.
  intros. apply partial_eq with (a * (exp (d * x i) * (d * delta i j))); [ | ring ].
  apply (partial_scale a (fun z => exp (d * z i))). apply (partial_exp (fun z => d * z i)).
  apply (partial_scale d (fun z => z i)). apply partial_coordinate.
Qed.

Lemma partial_weight : forall K a d C j x, (j < K)%nat ->
  partial (weight K a d C) j x (a j * exp (d j * x j) * d j).
Proof.
  intros K a d C j x Hj. unfold weight.
  apply partial_eq with (0 + sum K (fun k => a k * exp (d k * x k) * (d k * delta k j))).
  - apply partial_plus; [ apply partial_const | ].
    apply (partial_sum K (fun k z => a k * exp (d k * z k))). intros. apply partial_power.
  - rewrite (sum_ext K _ (fun k => delta k j * (a k * exp (d k * x k) * d k))) by (intros; ring).
    rewrite sum_delta by assumption. ring.
Qed.

(* "Conversely each such y, with any a and C, has (P2) where w is nowhere 0." *)
Lemma jacobian_of_family : forall K a d C x, weight K a d C x <> 0 ->
  jacobian K (family K a d C) x (softmax_type K (family K a d C x) d).
Proof.
  intros K a d C x Hw i j Hi Hj. rewrite softmax_type_entry by assumption. unfold family.
  apply partial_eq with
    ((a i * exp (d i * x i) * (d i * delta i j) * weight K a d C x
      - a i * exp (d i * x i) * (a j * exp (d j * x j) * d j)) / (weight K a d C x * weight K a d C x)).
  - apply (partial_divide (fun z => a i * exp (d i * z i)) (weight K a d C)); [ assumption | | ].
    + apply partial_power.
    + apply partial_weight. assumption.
  - replace (d i * delta i j) with (d j * delta i j)
      by (unfold delta; destruct (Nat.eqb_spec i j); [ subst; reflexivity | ring ]).
    field. assumption.
Qed.

Lemma frechet1_power : forall K a d i x, (i < K)%nat ->
  exists g, frechet1 K (fun z => a * exp (d * z i)) x g.
Proof.
  intros K a d i x Hi. eexists.
  apply (frechet1_scale K a (fun z => exp (d * z i))). apply (frechet1_compose K exp (fun z => d * z i)).
  - apply (frechet1_scale K d (fun z => z i)). apply frechet1_coordinate. assumption.
  - apply derivable_pt_lim_exp.
Qed.

Lemma family_is_differentiable : forall K a d C, (forall x, weight K a d C x <> 0) ->
  differentiable K (family K a d C).
Proof.
  intros K a d C Hw x.
  exists (softmax_type K (family K a d C x) d). intros i Hi.
  assert (total : forall N, (N <= K)%nat ->
    exists g, frechet1 K (fun z => sum N (fun k => a k * exp (d k * z k))) x g).
  { induction N; intros HN; [ exists (fun _ => 0); exact (frechet1_const K 0 x) | ].
    destruct IHN as [ g Hg ]; [ lia | ]. destruct (frechet1_power K (a N) (d N) N x) as [ h Hh ]; [ lia | ].
    exists (fun k => g k + h k). exact (frechet1_plus _ _ _ _ _ _ Hg Hh). }
  destruct (frechet1_power K (a i) (d i) i x Hi) as [ g Hg ]. destruct (total K (le_n K)) as [ h Hh ].
  pose proof (frechet1_plus _ _ _ _ _ _ (frechet1_const K C x) Hh) as Hsum.
  pose proof (frechet1_compose _ _ _ _ _ _ Hsum (derivable_inverse _ (Hw x))) as Hinverse.
  pose proof (frechet1_mult _ _ _ _ _ _ Hg Hinverse) as H.
  apply frechet1_eq with (2 := H). intros k Hk.
  apply (partial_unique (fun z => family K a d C z i) k x).
  - exact (frechet_partial _ _ _ _ H k Hk).
  - exact (jacobian_of_family K a d C x (Hw x) i k Hi Hk).
Qed.

Lemma family_is_local : forall K a d C, local_map K (family K a d C).
Proof.
  intros K a d C i Hi x x' H. unfold family, weight. rewrite (H i Hi).
  rewrite (sum_ext K (fun k => a k * exp (d k * x k)) (fun k => a k * exp (d k * x' k))); [ reflexivity | ].
  intros. rewrite H by assumption. reflexivity.
Qed.

(* 1 - sum y = C / w *)
Lemma family_defect : forall K a d C x, weight K a d C x <> 0 -> 1 - sum K (family K a d C x) = C / weight K a d C x.
Proof.
  intros K a d C x Hw. unfold family. rewrite sum_divide. unfold weight in *. field. assumption.
Qed.

Lemma softmax_is_family : forall K c d x, (0 < K)%nat ->
  weight K (fun k => exp (- c k)) d 0 x <> 0 /\
  forall i, softmax K (fun k => d k * x k - c k) i = family K (fun k => exp (- c k)) d 0 x i.
Proof.
  intros K c d x HK.
  assert (power : forall k, exp (d k * x k - c k) = exp (- c k) * exp (d k * x k)).
  { intros. rewrite <- exp_plus. f_equal. ring. }
  assert (total : sum K (fun k => exp (d k * x k - c k)) = weight K (fun k => exp (- c k)) d 0 x).
  { unfold weight. rewrite Rplus_0_l. apply sum_ext. intros. apply power. }
  split.
  - rewrite <- total. apply Rgt_not_eq. apply (sum_exp_positive K (fun k => d k * x k - c k)). assumption.
  - intros i. unfold softmax, family. rewrite total, power. reflexivity.
Qed.

(* What F and G have in common where they are equal on the first K entries. *)
Lemma p2_of_equal : forall K F G d, (forall x i, (i < K)%nat -> F x i = G x i) -> P2_with d K G -> P2_with d K F.
Proof.
  intros K F G d H HG x i j Hi Hj. apply partial_ext with (fun z => G z i).
  - intros. symmetry. apply H. assumption.
  - pose proof (HG x i j Hi Hj) as HP. rewrite softmax_type_entry in * by assumption.
    rewrite !H by assumption. exact HP.
Qed.

Lemma differentiable_of_equal : forall K F G, (forall x i, (i < K)%nat -> F x i = G x i) ->
  differentiable K G -> differentiable K F.
Proof.
  intros K F G H HG x. destruct (HG x) as [ J HJ ]. exists J. intros i Hi epsilon He.
  destruct (HJ i Hi epsilon He) as [ r [ Hr Hnear ] ]. exists r. split; [ assumption | ].
  intros h Hh. rewrite !H by assumption. apply Hnear. assumption.
Qed.

(* --- the implications as printed ---------------------------------------------------------------------------------- *)

Lemma p1_implies_p2_with : forall d K F, P1_with d K F -> P2_with d K F.
Proof.
  intros d K F [ c H ]. destruct K as [ | n ]; [ intros x i j Hi; lia | ].
  apply p2_of_equal with (family (S n) (fun k => exp (- c k)) d 0).
  - intros x i Hi. rewrite H by assumption. apply softmax_is_family. lia.
  - intros x. apply jacobian_of_family. apply softmax_is_family. lia.
Qed.

(* A1, (1) -> (2). *)
Theorem p1_implies_p2 : forall K F, P1 K F -> P2 K F.
Proof. intros K F [ d H ]. exists d. apply p1_implies_p2_with. assumption. Qed.

(* Its last line: with y = SoftMax(d * x - c), dy/dx = (D_y - y y^T) D_d. *)
Theorem jacobian_of_generalised_softmax : forall K c d x,
  let F := fun z : vector => softmax K (fun k => d k * z k - c k) in
  jacobian K F x (softmax_type K (F x) d).
Proof. intros K c d x F. apply p1_implies_p2_with. exists c. reflexivity. Qed.

(* SoftMax itself has d = 1, c = 0. *)
Lemma softmax_has_p1 : forall K, P1_with (fun _ => 1) K (softmax K).
Proof.
  intros K. exists (fun _ => 0). intros x i Hi. apply softmax_ext; [ intros k _; ring | assumption ].
Qed.

Lemma softmax_jacobian : forall K x, jacobian K (softmax K) x (softmax_type K (softmax K x) (fun _ => 1)).
Proof. intros K. apply p1_implies_p2_with. apply softmax_has_p1. Qed.

Lemma softmax_is_local : forall K, local_map K (softmax K).
Proof. intros K i Hi x x' H. apply softmax_ext; assumption. Qed.

(* At x = 0 the targets (1, ..., 1) force d = 0, and the target e_1 forbids it. *)
Lemma softmax_has_no_p3_on_the_cube : forall K, (2 <= K)%nat -> ~ P3 K (cube K) (softmax K).
Proof.
  intros K HK [ d Hd ]. destruct (Hd (fun _ => 0)) as [ Hy [ J [ HJ Ht ] ] ].
  set (y := softmax K (fun _ => 0)) in *.
  assert (Htrick : forall t i, (i < K)%nat -> trick K J t y i = y i * sum K t - t i).
  { intros t i Hi. rewrite <- (Rmult_1_l (y i * sum K t - t i)).
    rewrite <- (trick_of_softmax_type K y (fun _ => 1) t i Hi Hy). apply trick_ext. intros j Hj.
    apply (jacobian_unique K (softmax K) (fun _ => 0)); auto. apply softmax_jacobian. }
  assert (Hn : 2 <= INR K) by (apply (le_INR 2); assumption).
  assert (Hy0 : y O = / INR K).
  { unfold y, softmax. rewrite sum_const, exp_0. field. lra. }
  assert (Hinv : / INR K <= / 2) by (apply Rinv_le_contravar; lra).
  assert (H1 := Ht (fun _ => 1) ltac:(intros k _; lra) O ltac:(lia)).
  assert (H2 := Ht (unit O) ltac:(apply unit_in_simplex; lia) O ltac:(lia)).
  rewrite Htrick in H1, H2 by lia. unfold dilated_error in *.
  rewrite sum_const, Hy0 in H1. unfold unit in H2. rewrite sum_unit, Hy0, delta_same in H2 by lia.
  replace (/ INR K * (INR K * 1)) with 1 in H1 by (field; lra).
  assert (Hd0 : d O = 0).
  { destruct (Rmult_integral (d O) (/ INR K - 1)); [ lra | assumption | lra ]. }
  rewrite Hd0 in H2. lra.
Qed.

Lemma softmax_is_differentiable : forall K, differentiable K (softmax K).
Proof.
  intros K. destruct K as [ | n ]; [ intros x; exists (fun _ _ => 0); intros i Hi; lia | ].
  apply differentiable_of_equal with (family (S n) (fun _ => exp (- 0)) (fun _ => 1) 0).
  - intros x i Hi. rewrite <- (proj2 (softmax_is_family (S n) (fun _ => 0) (fun _ => 1) x ltac:(lia))).
    apply softmax_ext; [ intros k _; ring | assumption ].
  - apply family_is_differentiable. intros x. apply (softmax_is_family (S n) (fun _ => 0)). lia.
Qed.

(* A1, (2) -> (3), as printed: false, for SoftMax and every K >= 2. *)
Theorem p2_implies_p3_counterexample : forall K, (2 <= K)%nat ->
  ~ (forall F, local_map K F -> differentiable K F -> nowhere_zero K F -> P2 K F -> P3 K (cube K) F).
Proof.
  intros K HK H. apply (softmax_has_no_p3_on_the_cube K HK).
  apply H; [ apply softmax_is_local | apply softmax_is_differentiable | | ].
  - intros x i Hi. apply Rgt_not_eq. apply softmax_positive. assumption.
  - exists (fun _ => 1). intros x. apply softmax_jacobian.
Qed.

Lemma p2_implies_p3_with : forall d K F, nowhere_zero K F -> P2_with d K F -> P3_with d K (sum_one K) F.
Proof.
  intros d K F Hy Hd x. split; [ intros; apply Hy; assumption | ].
  exists (softmax_type K (F x) d). split; [ apply Hd | ].
  intros t Ht i Hi. rewrite trick_of_softmax_type by (assumption || apply Hy). unfold sum_one in Ht.
  rewrite Ht. unfold dilated_error. ring.
Qed.

(* A1, (2) -> (3), repaired: for all targets whose sum is one, so for the simplex too, where no y_i vanishes. *)
Theorem p2_implies_p3_repaired : forall K F, nowhere_zero K F ->
  P2 K F -> P3 K (sum_one K) F /\ P3 K (simplex K) F.
Proof.
  intros K F Hy [ d Hd ]. assert (H := p2_implies_p3_with d K F Hy Hd).
  split; exists d; [ assumption | ]. apply trick_for_fewer_targets with (2 := H). intros t [ _ Ht ]. exact Ht.
Qed.

Lemma p3_implies_p2_with : forall d K F, P3_with d K (vertices K) F -> P2_with d K F.
Proof.
  intros d K F Hd x. destruct (Hd x) as [ Hy [ J [ HJ Ht ] ] ].
  intros i j Hi Hj. rewrite softmax_type_entry by assumption.
  apply partial_eq with (J i j); [ apply HJ; assumption | ].
  assert (H := Ht (unit i) ltac:(exists i; split; [ assumption | intros k _; reflexivity ]) j Hj).
  rewrite trick_at_vertex in H by assumption. unfold dilated_error, unit in H. rewrite (delta_sym j i) in H.
  assert (F x i <> 0) by (apply Hy; assumption).
  replace (J i j) with (- (- J i j / F x i) * F x i) by (field; assumption). rewrite H. ring.
Qed.

(* A1, (3) -> (2): only the vertices are used, no unity and no sign of y; as printed, (P3) is for all of [0,1]^K. *)
Theorem p3_implies_p2 : forall K F, (P3 K (vertices K) F -> P2 K F) /\ (P3 K (cube K) F -> P2 K F).
Proof.
  intros K F. assert (H := fun d => p3_implies_p2_with d K F). split; intros [ d Hd ]; exists d; [ auto | ].
  apply H. apply trick_for_fewer_targets with (2 := Hd). intros t Ht. apply vertices_in_simplex in Ht. apply Ht.
Qed.

(* No member of the family with C <> 0 sums to 1 anywhere, and each generalised SoftMax does. *)
Lemma p1_sums_to_one : forall K F, (0 < K)%nat -> P1 K F -> forall x, sum K (F x) = 1.
Proof.
  intros K F HK [ d [ c H ] ] x. rewrite <- (softmax_sums_to_one K (fun k => d k * x k - c k)) by assumption.
  apply sum_ext. intros. apply H. assumption.
Qed.

Lemma p1_is_positive : forall K F, P1 K F -> forall x i, (i < K)%nat -> 0 < F x i.
Proof. intros K F [ d [ c H ] ] x i Hi. rewrite H by assumption. apply softmax_positive. assumption. Qed.

Lemma weight_positive : forall K a d C x, (forall k, (k < K)%nat -> 0 <= a k) -> 0 < C -> 0 < weight K a d C x.
Proof.
  intros. unfold weight. apply Rplus_lt_le_0_compat; [ assumption | ].
  apply sum_nonnegative. intros. apply Rmult_le_pos; [ auto | left; apply exp_pos ].
Qed.

(* SoftMax with slack, y_i = exp(d_i x_i) / (1 + sum_k exp(d_k x_k)): positive, (P2), (P3) on the simplex, and its sum
   is below one everywhere. *)
Lemma slack_properties : forall K d, let F := family K (fun _ => 1) d 1 in
  local_map K F /\ differentiable K F /\ (forall x i, 0 < F x i) /\ (forall x, sum K (F x) < 1) /\
  P2 K F /\ P3 K (simplex K) F.
Proof.
  intros K d F.
  assert (Hw : forall x, 0 < weight K (fun _ => 1) d 1 x) by (intros; apply weight_positive; intros; lra).
  assert (Hw0 : forall x, weight K (fun _ => 1) d 1 x <> 0) by (intros; apply Rgt_not_eq; apply Hw).
  assert (Hpos : forall x i, 0 < F x i).
  { intros. apply Rdiv_lt_0_compat; [ | apply Hw ]. rewrite Rmult_1_l. apply exp_pos. }
  assert (Hp2 : P2 K F) by (exists d; intros x; apply jacobian_of_family; apply Hw0).
  split; [ apply family_is_local | ]. split; [ apply family_is_differentiable; assumption | ].
  split; [ assumption | ]. split; [ | split; [ assumption | ] ].
  - intros x. pose proof (family_defect K (fun _ => 1) d 1 x (Hw0 x)) as H. fold F in H.
    assert (0 < 1 / weight K (fun _ => 1) d 1 x) by (apply Rdiv_lt_0_compat; [ lra | apply Hw ]). lra.
  - apply p2_implies_p3_repaired; [ | assumption ]. intros x i _. apply Rgt_not_eq. apply Hpos.
Qed.

(* A1, (2) -> (1), as printed: false, for SoftMax with slack and every K >= 1 (for K = 1 it is the Sigmoid). *)
Definition softmax_with_slack (K : nat) (x : vector) : vector :=
  fun i => exp (x i) / (1 + sum K (fun k => exp (x k))).

Lemma softmax_with_slack_is_family : forall K, softmax_with_slack K = family K (fun _ => 1) (fun _ => 1) 1.
Proof.
  intros. apply functional_extensionality. intros x. apply functional_extensionality. intros i.
  unfold softmax_with_slack, family, weight.
  rewrite (sum_ext K (fun k => 1 * exp (1 * x k)) (fun k => exp (x k))); [ | intros ]; rewrite !Rmult_1_l; reflexivity.
Qed.

Theorem p2_implies_p1_counterexample : forall K, (1 <= K)%nat ->
  local_map K (softmax_with_slack K) /\ differentiable K (softmax_with_slack K) /\
  P2 K (softmax_with_slack K) /\ ~ P1 K (softmax_with_slack K).
Proof.
  intros K HK. rewrite softmax_with_slack_is_family.
  destruct (slack_properties K (fun _ => 1)) as [ Hl [ Hd [ _ [ Hs [ H2 _ ] ] ] ] ].
  repeat split; try assumption. intros H1. specialize (Hs (fun _ => 0)).
  rewrite p1_sums_to_one in Hs by assumption. lra.
Qed.

(* --- the classification and the repaired theorem ------------------------------------------------------------------ *)

(* (P2) on a coordinate line is a linear homogeneous ODE: a y_i that is 0 at one point is 0 everywhere. *)
Lemma zero_spreads : forall K F, local_map K F -> P2 K F ->
  forall i, (i < K)%nat -> forall x x', F x i = 0 -> F x' i = 0.
Proof.
  intros K F Hlocal [ d Hd ] i Hi. apply (one_coordinate_at_a_time K (fun x => F x i = 0)).
  - intros x x' H Hx. rewrite <- Hx. symmetry. apply (Hlocal i Hi). assumption.
  - intros x j s Hj Hx.
    assert (line : forall n, (n < K)%nat -> forall u,
      derivable_pt_lim (fun u => F (update x j u) n) u ((delta n j - F (update x j u) j) * d j * F (update x j u) n)).
    { intros n Hn u. apply (along (fun z => F z n)).
      apply partial_eq with (1 := Hd (update x j u) n j Hn Hj).
      rewrite softmax_type_entry by assumption. ring. }
    apply (linear_ode (fun u => F (update x j u) i) (fun u => (delta i j - F (update x j u) j) * d j)) with (x j).
    + intros u. apply derivable_continuous_pt.
      set (l := (delta j j - F (update x j u) j) * d j * F (update x j u) j).
      exists ((0 - l) * d j + (delta i j - F (update x j u) j) * 0).
      exact (derivable_pt_lim_mult _ _ u _ _
        (derivable_pt_lim_minus _ _ u _ _ (derivable_pt_lim_const (delta i j) u) (line j Hj u))
        (derivable_pt_lim_const (d j) u)).
    + intros u. apply line. assumption.
    + rewrite update_same. assumption.
Qed.

(* Each y_i is identically 0 or nowhere 0. *)
Theorem dichotomy : forall K F, local_map K F -> P2 K F ->
  forall i, (i < K)%nat -> (forall x, F x i = 0) \/ (forall x, F x i <> 0).
Proof.
  intros K F Hlocal H i Hi. destruct (Req_EM_T (F (fun _ => 0) i) 0) as [ H0 | H0 ].
  - left. intros x. apply (zero_spreads K F Hlocal H i Hi (fun _ => 0)). assumption.
  - right. intros x Hx. apply H0. apply (zero_spreads K F Hlocal H i Hi x). assumption.
Qed.

Lemma some_entry_or_none : forall K (v : vector),
  (exists i, (i < K)%nat /\ v i <> 0) \/ (forall i, (i < K)%nat -> v i = 0).
Proof.
  induction K; intros v; [ right; intros; lia | ]. destruct (IHK v) as [ [ i [ Hi H ] ] | H ].
  - left. exists i. split; [ lia | assumption ].
  - destruct (Req_EM_T (v K) 0) as [ H0 | H0 ].
    + right. intros i Hi. destruct (Nat.eq_dec i K); [ subst; assumption | apply H; lia ].
    + left. exists K. split; [ lia | assumption ].
Qed.

(* (P2) => the family. Number as n a class of I. With q_i = y_i exp(-d_i x_i) each dq_i/dx_j = -d_j y_j q_i, so that
   the gradient of q_i / q_n is 0, and it is a constant a_i (0 where y_i is). With w = 1 / q_n then
   y_i = a_i exp(d_i x_i) / w, dw/dx_j = w d_j y_j = a_j d_j exp(d_j x_j), and w less the sum is a constant C. *)
Lemma p2_gives_family : forall K F d, local_map K F -> P2_with d K F ->
  exists a C, forall x, weight K a d C x <> 0 /\ forall i, (i < K)%nat -> F x i = family K a d C x i.
Proof.
  intros K F d Hlocal Hd.
  destruct (some_entry_or_none K (F (fun _ => 0))) as [ [ n [ Hn Hn0 ] ] | Hall ].
  2: { exists (fun _ => 0), 1. intros x. unfold family, weight.
       rewrite (sum_ext K _ (fun _ => 0)), sum_zero by (intros; ring). split; [ lra | ].
       intros i Hi. rewrite (zero_spreads K F Hlocal (ex_intro _ d Hd) i Hi (fun _ => 0) x (Hall i Hi)). field. }
  assert (Hnz : forall x, F x n <> 0).
  { destruct (dichotomy K F Hlocal (ex_intro _ d Hd) n Hn) as [ H | H ]; [ | assumption ].
    exfalso. apply Hn0. apply H. }
  assert (Hexp : forall u, exp u <> 0) by (intros; apply Rgt_not_eq; apply exp_pos).
  set (q := fun i (x : vector) => F x i * exp (- d i * x i)).
  assert (Hq : forall i j x, (i < K)%nat -> (j < K)%nat -> partial (q i) j x (- d j * F x j * q i x)).
  { intros i j x Hi Hj. unfold q.
    apply partial_eq with (softmax_type K (F x) d i j * exp (- d i * x i)
      + F x i * (exp (- d i * x i) * (- d i * delta i j))).
    - apply (partial_mult (fun z => F z i)); [ apply Hd; assumption | ].
      apply (partial_exp (fun z => - d i * z i)). apply (partial_scale (- d i) (fun z => z i)).
      apply partial_coordinate.
    - rewrite softmax_type_entry by assumption.
      replace (- d i * delta i j) with (- (delta i j * d j))
        by (unfold delta; destruct (Nat.eqb_spec i j); [ subst; ring | ring ]).
      ring. }
  assert (Hqn : forall x, q n x <> 0) by (intros; unfold q; apply Rmult_integral_contrapositive; split; auto).
  assert (Hqlocal : forall i, (i < K)%nat -> local K (q i)).
  { intros i Hi x x' H. unfold q. rewrite (Hlocal i Hi x x' H), (H i Hi). reflexivity. }
  set (a := fun i => q i (fun _ => 0) / q n (fun _ => 0)).
  assert (Ha : forall i x, (i < K)%nat -> q i x / q n x = a i).
  { intros i x Hi. apply (zero_gradient_is_constant K (fun z => q i z / q n z)).
    - intros z z' H. rewrite (Hqlocal i Hi z z' H), (Hqlocal n Hn z z' H). reflexivity.
    - intros z j Hj.
      apply partial_eq with (1 := partial_divide _ _ j z _ _ (Hqn z) (Hq i j z Hi Hj) (Hq n j z Hn Hj)).
      field. apply Hqn. }
  assert (Hy : forall i x, (i < K)%nat -> F x i = a i * exp (d i * x i) / / q n x).
  { intros i x Hi. rewrite <- (Ha i x Hi). unfold q at 1.
    assert (E : exp (- d i * x i) * exp (d i * x i) = 1).
    { rewrite <- exp_plus. replace (- d i * x i + d i * x i) with 0 by ring. apply exp_0. }
    transitivity (F x i * (exp (- d i * x i) * exp (d i * x i))); [ rewrite E; ring | field; apply Hqn ]. }
  set (S := fun x : vector => sum K (fun k => a k * exp (d k * x k))).
  assert (Hslack : forall x, / q n x - S x = / q n (fun _ => 0) - S (fun _ => 0)).
  { intros x. apply (zero_gradient_is_constant K (fun z => / q n z - S z)).
    - intros z z' H. rewrite (Hqlocal n Hn z z' H). f_equal. unfold S. apply sum_ext.
      intros k Hk. rewrite (H k Hk). reflexivity.
    - intros z j Hj.
      assert (HS : partial S j z (a j * exp (d j * z j) * d j)).
      { apply partial_eq with (0 + a j * exp (d j * z j) * d j - 0); [ | ring ].
        pose proof (partial_minus _ _ j z _ _ (partial_weight K a d 0 j z Hj) (partial_const 0 j z)) as H.
        apply partial_eq with (l' := 0 + a j * exp (d j * z j) * d j - 0) in H; [ | ring ].
        refine (partial_ext _ _ j z _ _ H). intros. unfold weight, S. ring. }
      apply partial_eq with (1 := partial_minus _ _ j z _ _ (partial_inverse _ j z _ (Hqn z) (Hq n j z Hn Hj)) HS).
      rewrite (Hy j z Hj). field. apply Hqn. }
  exists a, (/ q n (fun _ => 0) - S (fun _ => 0)). intros x.
  assert (Hw : weight K a d (/ q n (fun _ => 0) - S (fun _ => 0)) x = / q n x).
  { unfold weight. fold (S x). rewrite <- (Hslack x). ring. }
  split; [ rewrite Hw; apply Rinv_neq_0_compat; apply Hqn | ].
  intros i Hi. unfold family. rewrite Hw. apply Hy. assumption.
Qed.

(* All functions with (P2), for every K: y_i = a_i exp(d_i x_i) / w with w = C + sum_k a_k exp(d_k x_k) nowhere 0.
   Where a_i = 0, y_i is identically 0; where a_i <> 0, it is nowhere 0. *)
Theorem classification : forall K F, local_map K F ->
  (P2 K F <-> exists a d C, forall x, weight K a d C x <> 0 /\
    forall i, (i < K)%nat -> F x i = a i * exp (d i * x i) / weight K a d C x).
Proof.
  intros K F Hlocal. split.
  - intros [ d Hd ]. destruct (p2_gives_family K F d Hlocal Hd) as [ a [ C H ] ]. exists a, d, C. exact H.
  - intros [ a [ d [ C H ] ] ]. exists d. apply p2_of_equal with (family K a d C).
    + intros x i Hi. apply H. assumption.
    + intros x. apply jacobian_of_family. apply H.
Qed.

Theorem classification_of_zeros : forall K F a d C, (forall x, weight K a d C x <> 0 /\
    forall i, (i < K)%nat -> F x i = a i * exp (d i * x i) / weight K a d C x) ->
  forall i, (i < K)%nat -> (a i = 0 -> forall x, F x i = 0) /\ (a i <> 0 -> forall x, F x i <> 0).
Proof.
  intros K F a d C H i Hi. split; intros Ha x; destruct (H x) as [ Hw Hy ]; rewrite (Hy i Hi).
  - rewrite Ha. field. assumption.
  - apply Rmult_integral_contrapositive. split; [ | apply Rinv_neq_0_compat; assumption ].
    apply Rmult_integral_contrapositive. split; [ assumption | apply Rgt_not_eq; apply exp_pos ].
Qed.

(* (P2) is asked of partial derivatives only; what has it is differentiable, with that derivative. *)
Theorem p2_is_differentiable : forall K F, local_map K F -> P2 K F -> differentiable K F.
Proof.
  intros K F Hlocal [ d Hd ]. destruct (p2_gives_family K F d Hlocal Hd) as [ a [ C H ] ].
  apply differentiable_of_equal with (family K a d C).
  - intros x i Hi. apply H. assumption.
  - apply family_is_differentiable. intros x. apply H.
Qed.

Lemma p2_implies_p1_with : forall d K F, local_map K F -> one_point K F -> P2_with d K F -> P1_with d K F.
Proof.
  intros d K F Hlocal [ x0 [ Hpos Hsum ] ] Hd.
  destruct (p2_gives_family K F d Hlocal Hd) as [ a [ C H ] ].
  destruct (H x0) as [ Hw0 Hy0 ].
  assert (HC : C = 0).
  { pose proof (family_defect K a d C x0 Hw0) as HD.
    rewrite <- (sum_ext K (F x0)), Hsum in HD by assumption.
    apply Rmult_eq_reg_r with (/ weight K a d C x0); [ | apply Rinv_neq_0_compat; assumption ].
    unfold Rdiv in HD. lra. }
  subst C. set (w0 := weight K a d 0 x0) in *.
  assert (Hb : forall i, (i < K)%nat -> 0 < a i / w0).
  { intros i Hi. specialize (Hpos i Hi). rewrite (Hy0 i Hi) in Hpos. unfold family in Hpos. fold w0 in Hpos.
    replace (a i / w0) with (a i * exp (d i * x0 i) / w0 * / exp (d i * x0 i)).
    - apply Rmult_lt_0_compat; [ assumption | apply Rinv_0_lt_compat; apply exp_pos ].
    - field. split; [ assumption | apply Rgt_not_eq; apply exp_pos ]. }
  exists (fun i => - ln (a i / w0)). intros x i Hi. destruct (H x) as [ Hw Hy ]. rewrite (Hy i Hi).
  assert (power : forall k, (k < K)%nat -> exp (d k * x k - - ln (a k / w0)) = a k * exp (d k * x k) * / w0).
  { intros k Hk. unfold Rminus. rewrite Ropp_involutive, exp_plus, exp_ln by (apply Hb; assumption).
    unfold Rdiv. ring. }
  unfold softmax, family. rewrite power by assumption.
  rewrite (sum_ext K _ (fun k => / w0 * (a k * exp (d k * x k)))) by (intros; rewrite power by assumption; ring).
  rewrite sum_scale. unfold weight in *. rewrite Rplus_0_l in *. field. split; assumption.
Qed.

(* A1, (2) -> (1), repaired: positivity and unity at one point are enough. *)
Theorem p2_implies_p1_repaired : forall K F, local_map K F -> one_point K F -> P2 K F -> P1 K F.
Proof. intros K F Hlocal Hone [ d Hd ]. exists d. apply p2_implies_p1_with; assumption. Qed.

(* Wherever no y_i vanishes, with no positivity and no unity. *)
Theorem jacobian_is_trick : forall K F, nowhere_zero K F ->
  (P2 K F <-> P3 K (vertices K) F) /\ (P2 K F <-> P3 K (simplex K) F) /\ (P2 K F <-> P3 K (sum_one K) F).
Proof.
  intros K F Hy. assert (H23 := p2_implies_p3_repaired K F Hy). assert (H32 := proj1 (p3_implies_p2 K F)).
  assert (Hv : P3 K (simplex K) F -> P3 K (vertices K) F).
  { intros [ d Hd ]. exists d. apply trick_for_fewer_targets with (2 := Hd). apply vertices_in_simplex. }
  assert (Hs : P3 K (sum_one K) F -> P3 K (simplex K) F).
  { intros [ d Hd ]. exists d. apply trick_for_fewer_targets with (2 := Hd). intros t [ _ H ]. exact H. }
  tauto.
Qed.

(* Theorem A1, repaired, with positivity and unity at one point only; the dilation is the same in all. *)
Theorem same_dilation : forall K F, local_map K F -> one_point K F -> forall d,
  (P1_with d K F <-> P2_with d K F) /\ (P2_with d K F <-> P3_with d K (simplex K) F) /\
  (P3_with d K (simplex K) F <-> P3_with d K (vertices K) F).
Proof.
  intros K F Hlocal Hone d.
  assert (H12 := p1_implies_p2_with d K F). assert (H21 := p2_implies_p1_with d K F Hlocal Hone).
  assert (H23 : P2_with d K F -> P3_with d K (simplex K) F).
  { intros H. apply trick_for_fewer_targets with (sum_one K); [ intros t [ _ Ht ]; exact Ht | ].
    apply p2_implies_p3_with; [ | assumption ]. intros x i Hi. apply Rgt_not_eq.
    apply p1_is_positive with K; [ exists d; auto | assumption ]. }
  assert (Hv : P3_with d K (simplex K) F -> P3_with d K (vertices K) F).
  { apply trick_for_fewer_targets. apply vertices_in_simplex. }
  assert (H32 := p3_implies_p2_with d K F). tauto.
Qed.

Theorem repaired_theorem : forall K F, local_map K F -> one_point K F ->
  (P1 K F <-> P2 K F) /\ (P2 K F <-> P3 K (simplex K) F) /\ (P3 K (simplex K) F <-> P3 K (vertices K) F).
Proof.
  intros K F Hlocal Hone. assert (E := same_dilation K F Hlocal Hone).
  split; [ | split ]; split; intros [ d Hd ]; exists d; specialize (E d); tauto.
Qed.

(* The paper's "differentiable" and "dF/dx" are the Frechet derivative. With it, (P2) and (P3) say the same. *)
Theorem the_derivative_of_the_paper : forall K F, differentiable K F -> forall d,
  (P2_with d K F <-> forall x, frechet K F x (softmax_type K (F x) d)) /\
  forall T, P3_with d K T F <->
    forall x, (forall i, (i < K)%nat -> F x i <> 0) /\
      exists J, frechet K F x J /\
        forall t, T t -> forall i, (i < K)%nat -> trick K J t (F x) i = dilated_error t (F x) d i.
Proof.
  intros K F H d. assert (E := fun x J => frechet_iff_jacobian K F x J (H x)). split; [ | intros T ]; split.
  - intros Hd x. apply E. apply Hd.
  - intros Hd x. apply E. apply Hd.
  - intros Hd x. destruct (Hd x) as [ Hy [ J [ HJ Ht ] ] ]. split; [ assumption | ].
    exists J. split; [ apply E; assumption | assumption ].
  - intros Hd x. destruct (Hd x) as [ Hy [ J [ HJ Ht ] ] ]. split; [ assumption | ].
    exists J. split; [ apply E; assumption | assumption ].
Qed.

(* The hypotheses and the three properties are those of something: SoftMax has them, for every K >= 1. *)
Theorem softmax_has_all : forall K, (1 <= K)%nat ->
  local_map K (softmax K) /\ differentiable K (softmax K) /\ one_point K (softmax K) /\ nowhere_zero K (softmax K) /\
  P1 K (softmax K) /\ P2 K (softmax K) /\ P3 K (sum_one K) (softmax K) /\ P3 K (simplex K) (softmax K) /\
  P3 K (vertices K) (softmax K).
Proof.
  intros K HK.
  assert (H : nowhere_zero K (softmax K)) by (intros x i Hi; apply Rgt_not_eq; apply softmax_positive; assumption).
  split; [ apply softmax_is_local | ]. split; [ apply softmax_is_differentiable | ].
  split; [ exists (fun _ => 0); split; [ intros; apply softmax_positive; assumption | apply softmax_sums_to_one; lia ] | ].
  assert (H1 : P1 K (softmax K)) by (exists (fun _ => 1); apply softmax_has_p1).
  assert (H2 := p1_implies_p2 K _ H1). destruct (jacobian_is_trick K _ H) as [ Hv [ Hs Ho ] ]. tauto.
Qed.

(* --- no hypothesis can be dropped --------------------------------------------------------------------------------- *)

(* A constant map, with d = 0: (P2) for any entries, (P3) for any targets where none is 0; (P1) only if they sum to 1. *)
Theorem constant_map : forall K v, let F := fun _ : vector => v in
  local_map K F /\ differentiable K F /\ P2 K F /\
  ((forall i, (i < K)%nat -> v i <> 0) -> forall T, P3 K T F) /\
  ((1 <= K)%nat -> sum K v <> 1 -> ~ P1 K F).
Proof.
  intros K v F.
  assert (Hlocal : local_map K F) by (intros i Hi x x' _; reflexivity).
  assert (H2 : forall x, jacobian K F x (softmax_type K v (fun _ => 0))).
  { intros x i j Hi Hj. rewrite softmax_type_entry by assumption.
    apply partial_eq with 0; [ exact (partial_const (v i) j x) | ring ]. }
  split; [ assumption | ]. split; [ apply p2_is_differentiable; [ assumption | exists (fun _ => 0); exact H2 ] | ].
  split; [ exists (fun _ => 0); exact H2 | ]. split.
  - intros Hv T. exists (fun _ => 0). intros x. split; [ assumption | ].
    exists (softmax_type K v (fun _ => 0)). split; [ apply H2 | ]. intros t _ i Hi.
    unfold F. rewrite trick_of_softmax_type by assumption. unfold dilated_error. ring.
  - intros HK Hv H1. apply Hv. exact (p1_sums_to_one K F HK H1 (fun _ => 0)).
Qed.

(* F = 0 has (P2) and not (P1). *)
Theorem zero_map : forall K, (1 <= K)%nat -> let F := fun (_ : vector) (_ : nat) => 0 in
  local_map K F /\ differentiable K F /\ P2 K F /\ ~ P1 K F.
Proof.
  intros K HK F. destruct (constant_map K (fun _ => 0)) as [ Hl [ Hd [ H2 [ _ H1 ] ] ] ].
  repeat split; try assumption. apply H1; [ assumption | rewrite sum_zero; lra ].
Qed.

(* A constant with a negative entry: unity, (P2), (P3), and not (P1), for K >= 2. *)
Theorem positivity_is_needed : forall K, (2 <= K)%nat ->
  exists F, local_map K F /\ differentiable K F /\ nowhere_zero K F /\ (forall x, sum K (F x) = 1) /\
    P2 K F /\ P3 K (simplex K) F /\ ~ P1 K F.
Proof.
  intros K HK. assert (HR : 2 <= INR K) by (apply (le_INR 2); assumption).
  (* (2, -1/(K-1), ..., -1/(K-1)) *)
  set (v := fun k => (2 + / (INR K - 1)) * delta k O + - / (INR K - 1)).
  assert (Hinv : 0 < / (INR K - 1)) by (apply Rinv_0_lt_compat; lra).
  assert (Hsum : sum K v = 1).
  { unfold v. rewrite sum_plus, sum_scale, sum_unit, sum_const by lia. field. lra. }
  assert (Hv : forall k, (k < K)%nat -> v k <> 0).
  { intros k _. unfold v, delta. destruct (Nat.eqb k O); lra. }
  destruct (constant_map K v) as [ Hl [ Hd [ H2 [ H3 _ ] ] ] ].
  exists (fun _ => v). split; [ assumption | ]. split; [ assumption | ].
  split; [ intros x; exact Hv | ]. split; [ intros; exact Hsum | ]. split; [ assumption | ].
  split; [ apply H3; assumption | ]. intros H1.
  assert (0 < v 1%nat) by (apply (p1_is_positive K _ H1 (fun _ => 0)); lia).
  unfold v, delta in *. simpl in *. lra.
Qed.

(* SoftMax over the classes 2, ..., K, with y_1 = 0: unity, (P2) with any d, and not (P1), for K >= 2. *)
Theorem softmax_of_some_classes : forall K d, (2 <= K)%nat ->
  exists F, local_map K F /\ differentiable K F /\ (forall x, F x O = 0) /\ (forall x, sum K (F x) = 1) /\
    P2_with d K F /\ ~ P1 K F.
Proof.
  intros K d HK. set (a := fun k => 1 - delta k O).
  assert (Ha : forall k, 0 <= a k) by (intros; unfold a, delta; destruct (Nat.eqb k O); lra).
  assert (Hw : forall x, 0 < weight K a d 0 x).
  { intros x. unfold weight. rewrite Rplus_0_l. apply Rlt_le_trans with (a 1%nat * exp (d 1%nat * x 1%nat)).
    - unfold a, delta. simpl. assert (0 < exp (d 1%nat * x 1%nat)) by apply exp_pos. lra.
    - apply (sum_at_least K (fun k => a k * exp (d k * x k))); [ | lia ]. intros.
      apply Rmult_le_pos; [ apply Ha | left; apply exp_pos ]. }
  assert (Hw0 : forall x, weight K a d 0 x <> 0) by (intros; apply Rgt_not_eq; apply Hw).
  assert (H0 : forall x, family K a d 0 x O = 0).
  { intros x. unfold family, a. rewrite delta_same. field. apply Hw0. }
  exists (family K a d 0). split; [ apply family_is_local | ].
  split; [ apply family_is_differentiable; assumption | ]. split; [ assumption | ]. split.
  - intros x. pose proof (family_defect K a d 0 x (Hw0 x)). unfold Rdiv in *. lra.
  - split; [ intros x; apply jacobian_of_family; apply Hw0 | ].
    intros H1. assert (0 < family K a d 0 (fun _ => 0) O) by (apply p1_is_positive with K; [ assumption | lia ]).
    rewrite H0 in *. lra.
Qed.

(* SoftMax with slack: positive, (P2), (P3) on the simplex, and not (P1). *)
Theorem unity_is_needed : forall K, (1 <= K)%nat ->
  exists F, local_map K F /\ differentiable K F /\ (forall x i, (i < K)%nat -> 0 < F x i) /\
    P2 K F /\ P3 K (simplex K) F /\ ~ P1 K F.
Proof.
  intros K HK. exists (softmax_with_slack K). rewrite softmax_with_slack_is_family.
  destruct (slack_properties K (fun _ => 1)) as [ Hl [ Hd [ Hp [ Hs [ H2 H3 ] ] ] ] ].
  repeat split; auto. intros H1. specialize (Hs (fun _ => 0)). rewrite p1_sums_to_one in Hs by assumption. lra.
Qed.

(* SoftMax, at x = 0: the target (1, ..., 1) forces d = 0, the target e_1 forbids it, for every K >= 2. *)
Theorem sum_of_targets_is_needed : forall K, (2 <= K)%nat ->
  exists F, local_map K F /\ differentiable K F /\ one_point K F /\ P1 K F /\ ~ P3 K (cube K) F.
Proof.
  intros K HK. exists (softmax K). destruct (softmax_has_all K ltac:(lia)) as [ Hl [ Hd [ Ho [ _ [ H1 _ ] ] ] ] ].
  repeat (split; [ assumption | ]). apply softmax_has_no_p3_on_the_cube. assumption.
Qed.
