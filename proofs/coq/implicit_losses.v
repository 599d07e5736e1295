(* Beyond the paper: what ISBE minimises. With unequal dilations it minimises nothing. To be read beside
   implicit_losses.py. *)

Require Import Reals Lra Lia Arith FunctionalExtensionality.
From SoftmaxTrick Require Import vectors softmax theorem_a1 theorem_1.
Open Scope R_scope.

(* The field E is the gradient of a function on R^K. *)
Definition is_gradient (K : nat) (E : vector -> vector) := exists P, local K P /\ forall x, gradient K P x (E x).

(* y = SoftMax(d * x - c), and the denominator of its entries. *)
Definition generalised_softmax (K : nat) (d c x : vector) : vector := softmax K (fun k => d k * x k - c k).
Definition total (K : nat) (d c x : vector) : R := sum K (fun k => exp (d k * x k - c k)).

Lemma total_positive : forall K d c x, (0 < K)%nat -> 0 < total K d c x.
Proof. intros. apply (sum_exp_positive K (fun k => d k * x k - c k)). assumption. Qed.

Lemma total_local : forall K d c, local K (total K d c).
Proof. intros K d c x x' H. unfold total. apply sum_ext. intros k Hk. rewrite (H k Hk). reflexivity. Qed.

Lemma total_update : forall K d c x i s, (i < K)%nat ->
  total K d c (update x i s) = total K d c x + (exp (d i * s - c i) - exp (d i * x i - c i)).
Proof.
  intros K d c x i s Hi. unfold total.
  rewrite (sum_ext K _ (fun k => exp (d k * x k - c k) + delta k i * (exp (d k * s - c k) - exp (d k * x k - c k)))).
  - rewrite sum_plus, sum_delta by assumption. reflexivity.
  - intros k _. unfold update, delta. destruct (Nat.eqb k i); ring.
Qed.

(* grad log sum_k exp(d_k x_k - c_k) = d * y *)
Lemma partial_log_total : forall K d c i x, (i < K)%nat ->
  partial (fun z => ln (total K d c z)) i x (d i * generalised_softmax K d c x i).
Proof.
  intros K d c i x Hi. assert (H := total_positive K d c x ltac:(lia)).
  apply partial_eq with (/ total K d c x * sum K (fun k => exp (d k * x k - c k) * (d k * delta k i - 0))).
  - apply (partial_ln (total K d c)); [ assumption | ].
    apply (partial_sum K (fun k z => exp (d k * z k - c k))). intros.
    apply (partial_exp (fun z => d k * z k - c k)). apply partial_minus; [ | apply partial_const ].
    apply (partial_scale (d k) (fun z => z k)). apply partial_coordinate.
  - rewrite (sum_ext K _ (fun k => delta k i * (exp (d k * x k - c k) * d k))) by (intros; ring).
    rewrite sum_delta by assumption. unfold generalised_softmax, softmax. fold (total K d c x). field. lra.
Qed.

Lemma partial_linear : forall K v i x, (i < K)%nat -> partial (fun z => sum K (fun k => v k * z k)) i x (v i).
Proof.
  intros K v i x Hi. apply partial_eq with (sum K (fun k => v k * delta k i)).
  - apply (partial_sum K (fun k z => v k * z k)). intros. apply (partial_scale (v k) (fun z => z k)).
    apply partial_coordinate.
  - rewrite (sum_ext K _ (fun k => delta k i * v k)) by (intros; ring). apply sum_delta. assumption.
Qed.

Lemma linear_local : forall K v, local K (fun z => sum K (fun k => v k * z k)).
Proof. intros K v x x' H. apply sum_ext. intros k Hk. rewrite (H k Hk). reflexivity. Qed.

(* Along a line of coordinate i with d_i <> 0, a potential P of y differs from log(total) / d_i by a constant. *)
Lemma potential_along_line : forall K d c P, (forall x, gradient K P x (generalised_softmax K d c x)) ->
  forall i x s, (i < K)%nat -> d i <> 0 ->
  P (update x i s) - P x = (ln (total K d c (update x i s)) - ln (total K d c x)) / d i.
Proof.
  intros K d c P HP i x s Hi Hd.
  assert (H : forall u, P (update x i u) - / d i * ln (total K d c (update x i u))
    = P (update x i (x i)) - / d i * ln (total K d c (update x i (x i)))).
  { intros u. apply (zero_derivative_is_constant
      (fun u => P (update x i u) - / d i * ln (total K d c (update x i u)))). intros v.
    apply (along (fun z => P z - / d i * ln (total K d c z))).
    apply partial_eq with (generalised_softmax K d c (update x i v) i
      - / d i * (d i * generalised_softmax K d c (update x i v) i)); [ | field; assumption ].
    apply partial_minus; [ apply HP; assumption | ].
    apply (partial_scale (/ d i) (fun z => ln (total K d c z))). apply partial_log_total. assumption. }
  specialize (H s). rewrite update_same in H. unfold Rdiv. lra.
Qed.

(* With d_i = 0, y_i does not change along that line. *)
Lemma potential_along_dead_line : forall K d c P, (forall x, gradient K P x (generalised_softmax K d c x)) ->
  forall i x s, (i < K)%nat -> d i = 0 ->
  P (update x i s) - P x = generalised_softmax K d c x i * (s - x i).
Proof.
  intros K d c P HP i x s Hi Hd. set (y := generalised_softmax K d c x i).
  assert (Hy : forall v, generalised_softmax K d c (update x i v) i = y).
  { intros v. apply softmax_ext; [ | assumption ]. intros k _. unfold update.
    destruct (Nat.eqb_spec k i); [ subst; rewrite Hd; ring | reflexivity ]. }
  assert (H : forall u, P (update x i u) - y * update x i u i = P (update x i (x i)) - y * update x i (x i) i).
  { intros u. apply (zero_derivative_is_constant (fun u => P (update x i u) - y * update x i u i)). intros v.
    apply (along (fun z => P z - y * z i)).
    apply partial_eq with (y - y * delta i i); [ | rewrite delta_same; ring ].
    apply partial_minus; [ rewrite <- (Hy v); apply HP; assumption | ].
    apply (partial_scale y (fun z => z i)). apply partial_coordinate. }
  specialize (H s). rewrite !update_at, update_same in H. lra.
Qed.

(* Two unequal dilations: the second difference of a potential over a square would have two values. *)
Lemma equal_dilations : forall K d c P, (forall x, gradient K P x (generalised_softmax K d c x)) ->
  forall i j, (i < K)%nat -> (j < K)%nat -> d i <> 0 -> d i = d j.
Proof.
  intros K d c P HP i j Hi Hj Hdi.
  destruct (Nat.eq_dec i j) as [ -> | Hij ]; [ reflexivity | ].
  set (x00 := fun _ : nat => 0). set (x10 := update x00 i 1). set (x01 := update x00 j 1).
  assert (Hx : update x10 j 1 = update x01 i 1).
  { apply functional_extensionality. intros k. unfold x10, x01, update.
    destruct (Nat.eqb_spec k i); destruct (Nat.eqb_spec k j); congruence. }
  set (x11 := update x01 i 1) in *.
  assert (pos : forall x, 0 < total K d c x) by (intros; apply total_positive; lia).
  assert (T10 : total K d c x10 = total K d c x00 + (exp (d i * 1 - c i) - exp (d i * 0 - c i)))
    by (apply total_update; assumption).
  assert (T01 : total K d c x01 = total K d c x00 + (exp (d j * 1 - c j) - exp (d j * 0 - c j)))
    by (apply total_update; assumption).
  assert (Hx01i : x01 i = 0) by (unfold x01; rewrite update_other by assumption; reflexivity).
  assert (T11 : total K d c x11 = total K d c x01 + (exp (d i * 1 - c i) - exp (d i * 0 - c i))).
  { unfold x11. rewrite total_update by assumption. rewrite Hx01i. reflexivity. }
  assert (moves : forall n, d n <> 0 -> exp (d n * 1 - c n) - exp (d n * 0 - c n) <> 0).
  { intros n Hn E. apply Hn. assert (d n * 1 - c n = d n * 0 - c n) by (apply exp_inv; lra). lra. }
  set (L := fun x => ln (total K d c x)).
  (* The difference over the two sides along i. *)
  assert (D : P x11 - P x01 - (P x10 - P x00) = (L x11 - L x01 - (L x10 - L x00)) / d i).
  { unfold x11 at 1, x10 at 1. rewrite !(potential_along_line K d c P HP i) by assumption.
    fold x11 x10. unfold L. field. assumption. }
  destruct (Req_dec (d j) 0) as [ Hdj | Hdj ].
  - (* d_j = 0: the total does not change along j, and y_j changes along i. *)
    exfalso.
    assert (L x11 = L x10).
    { unfold L. f_equal. rewrite T11, T10, T01, Hdj. ring_simplify (0 * 1 - c j) (0 * 0 - c j). ring. }
    assert (L x01 = L x00).
    { unfold L. f_equal. rewrite T01, Hdj. ring_simplify (0 * 1 - c j) (0 * 0 - c j). ring. }
    assert (Hx10j : x10 j = 0) by (unfold x10; rewrite update_other by auto; reflexivity).
    assert (E1 : P x11 - P x10 = generalised_softmax K d c x10 j * (1 - x10 j)).
    { rewrite <- Hx. apply (potential_along_dead_line K d c P HP j x10 1); assumption. }
    assert (E0 : P x01 - P x00 = generalised_softmax K d c x00 j * (1 - x00 j)).
    { apply (potential_along_dead_line K d c P HP j x00 1); assumption. }
    assert (Z : P x11 - P x01 - (P x10 - P x00) = 0) by (rewrite D; unfold Rdiv; nra).
    rewrite Hx10j in E1. change (x00 j) with 0 in E0.
    assert (Ey : generalised_softmax K d c x10 j = generalised_softmax K d c x00 j) by lra.
    unfold generalised_softmax, softmax in Ey. fold (total K d c x10) (total K d c x00) in Ey.
    rewrite Hdj, !Rmult_0_l in Ey.
    assert (H10 := pos x10). assert (H00 := pos x00). assert (He := exp_pos (0 - c j)).
    assert (total K d c x10 = total K d c x00).
    { rewrite <- (Rinv_inv (total K d c x10)), <- (Rinv_inv (total K d c x00)). f_equal.
      apply Rmult_eq_reg_l with (exp (0 - c j)); [ exact Ey | lra ]. }
    apply (moves i Hdi). lra.
  - (* Both are not 0: log(total) has the second difference 0, and it has not. *)
    destruct (Req_dec (d i) (d j)) as [ | Hne ]; [ assumption | exfalso ].
    assert (D' : P x11 - P x10 - (P x01 - P x00) = (L x11 - L x10 - (L x01 - L x00)) / d j).
    { rewrite <- Hx at 1. unfold x01 at 1. rewrite !(potential_along_line K d c P HP j) by assumption.
      rewrite Hx. fold x01. unfold L. field. assumption. }
    set (second := L x11 - L x01 - (L x10 - L x00)) in *.
    assert (E : second / d i = second / d j).
    { rewrite <- D. replace (L x11 - L x10 - (L x01 - L x00)) with second in D' by (unfold second; ring). lra. }
    assert (second = 0).
    { assert (second * (d j - d i) = 0).
      { replace (second * (d j - d i)) with ((second / d i - second / d j) * (d i * d j)) by (field; auto).
        rewrite E. ring. }
      destruct (Rmult_integral _ _ H); [ assumption | lra ]. }
    assert (P1 := pos x11). assert (P2 := pos x00). assert (P3 := pos x10). assert (P4 := pos x01).
    assert (El : ln (total K d c x11 * total K d c x00) = ln (total K d c x01 * total K d c x10)).
    { rewrite !ln_mult by assumption. unfold second, L in *. lra. }
    apply ln_inv in El; try (apply Rmult_lt_0_compat; assumption).
    assert (Ep : (exp (d i * 1 - c i) - exp (d i * 0 - c i)) * (exp (d j * 1 - c j) - exp (d j * 0 - c j)) = 0).
    { rewrite T11, T10, T01 in El. lra. }
    destruct (Rmult_integral _ _ Ep); [ apply (moves i) | apply (moves j) ]; assumption.
Qed.

(* SoftMax(d * x - c) - t is a gradient if and only if all dilations are equal; d * (SoftMax(d * x - c) - t) always is. *)
Theorem unequal_dilations_have_no_loss : forall K d c t,
  (is_gradient K (fun x i => generalised_softmax K d c x i - t i) <->
   forall i j, (i < K)%nat -> (j < K)%nat -> d i = d j) /\
  is_gradient K (fun x i => d i * (generalised_softmax K d c x i - t i)).
Proof.
  intros K d c t. split; [ split | ].
  - intros [ P [ _ HP ] ] i j Hi Hj.
    set (Q := fun x => P x + sum K (fun k => t k * x k)).
    assert (HQ : forall x, gradient K Q x (generalised_softmax K d c x)).
    { intros x n Hn. apply partial_eq with (generalised_softmax K d c x n - t n + t n); [ | ring ].
      apply partial_plus; [ apply (HP x n Hn) | apply partial_linear; assumption ]. }
    destruct (Req_dec (d i) 0) as [ H | H ]; [ | apply (equal_dilations K d c Q HQ); assumption ].
    destruct (Req_dec (d j) 0) as [ H' | H' ]; [ congruence | ].
    symmetry. apply (equal_dilations K d c Q HQ); assumption.
  - intros Hd. destruct (Req_dec (d O) 0) as [ H0 | H0 ].
    + set (v := fun k => generalised_softmax K d c (fun _ => 0) k - t k).
      exists (fun x => sum K (fun k => v k * x k)). split; [ apply linear_local | ].
      intros x i Hi. apply partial_eq with (v i); [ apply partial_linear; assumption | ].
      unfold v. f_equal. apply softmax_ext; [ | assumption ]. intros k Hk.
      rewrite (Hd k O Hk ltac:(lia)), H0. ring.
    + exists (fun x => / d O * ln (total K d c x) - sum K (fun k => t k * x k)). split.
      * intros x x' H. rewrite (total_local K d c x x' H), (linear_local K t x x' H). reflexivity.
      * intros x i Hi. apply partial_eq with (/ d O * (d i * generalised_softmax K d c x i) - t i).
        -- apply partial_minus; [ | apply partial_linear; assumption ].
           apply (partial_scale (/ d O) (fun z => ln (total K d c z))). apply partial_log_total. assumption.
        -- rewrite (Hd i O Hi ltac:(lia)). field. assumption.
  - exists (fun x => ln (total K d c x) - sum K (fun k => d k * t k * x k)). split.
    + intros x x' H. rewrite (total_local K d c x x' H), (linear_local K (fun k => d k * t k) x x' H). reflexivity.
    + intros x i Hi. apply partial_eq with (d i * generalised_softmax K d c x i - d i * t i); [ | ring ].
      apply partial_minus; [ apply partial_log_total; assumption | ].
      apply (partial_linear K (fun k => d k * t k)). assumption.
Qed.
